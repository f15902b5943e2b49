package workload

import "fmt"

// The values of the fields, most frequent first.
var (
	scenes   = []int{1089, 1001, 1007, 1008, 1011, 1005, 1035, 1037, 1043, 1047, 1058, 1074, 1095, 1012, 1014, 1020, 1044, 1129, 1154, 1167}
	channels = []string{"wechat_share", "natural", "search_ads", "moments_ads", "official_account", "qr_offline", "sms_recall", "live_room", "kol_video", "app_push", "affiliate", "mini_game"}
	regions  = []string{"Guangdong", "Jiangsu", "Zhejiang", "Shandong", "Henan", "Sichuan", "Shanghai", "Beijing", "Hubei", "Hunan", "Fujian", "Anhui", "Hebei", "Shaanxi", "Chongqing", "Jiangxi", "Liaoning", "Guangxi", "Yunnan", "Tianjin", "Shanxi", "Guizhou", "Heilongjiang", "Jilin", "Inner Mongolia", "Xinjiang", "Gansu", "Hainan", "Ningxia", "Qinghai", "Hong Kong", "Macao", "Taiwan", "Tibet"}
	networks = []string{"wifi", "5g", "4g", "unknown", "3g"}
	tongues  = []string{"zh_CN", "zh_HK", "en", "zh_TW", "ja", "ko"}
	seasons  = []string{"summer_sale", "new_user_gift", "brand_day", "member_week", "flash_midnight", "back_to_school", "fresh_friday", "anniversary"}
	errors   = []string{"E_TIMEOUT", "E_NETWORK", "E_BALANCE", "E_STOCK", "E_RISK", "E_PASSWORD", "E_EXPIRED", "E_BANK_5004"}
	versions = []string{"8.2.0", "8.2.1", "8.3.0", "8.3.2", "8.4.0", "8.4.1", "8.5.0"}

	androids  = []string{"Android 14", "Android 13", "Android 12", "Android 15", "Android 11", "Android 10"}
	iphones   = []string{"iOS 17.5.1", "iOS 17.4", "iOS 18.0", "iOS 16.7.8", "iOS 15.8"}
	harmonies = []string{"HarmonyOS 4.2", "HarmonyOS 4.0", "HarmonyOS 3.0"}

	goods = []string{"运动鞋", "phone case", "洗面奶", "T恤", "power bank", "蓝牙耳机", "dress", "零食", "coffee", "洗发水", "backpack", "keyboard", "儿童玩具", "sunscreen", "牛奶", "yoga mat", "充电器", "lipstick", "水杯", "desk lamp"}
	kinds = []string{"", "新款", "sale", "男", "女", "official", "旗舰店", "cheap", "gift", "mini", "pro", "2025", "白色", "black", "大容量"}
)

// device is a model with its system.
type device struct{ os, model string }

// devices returns 400 models, most frequent first.
func devices() []device {
	var list []device
	for i := range 80 {
		list = append(list,
			device{"android", fmt.Sprintf("HUAWEI P%d", 20+i)},
			device{"ios", "iPhone " + [...]string{"15", "14", "13", "12", "SE"}[i%5] + [...]string{"", " Pro", " Pro Max", " Plus", " mini"}[i/5%5] + [...]string{"", " 256G", " 512G", " 1T"}[i/25%4]},
			device{"android", fmt.Sprintf("Redmi Note %d", 8+i)},
			device{"harmony", fmt.Sprintf("Mate %d", 30+i)},
			device{"android", fmt.Sprintf("vivo X%d", 60+i)},
		)
	}
	return list
}

// queries returns what people search for, most frequent first.
func queries() []string {
	var list []string
	for _, kind := range kinds {
		for _, thing := range goods {
			if kind != "" {
				thing = kind + " " + thing
			}
			list = append(list, thing)
		}
	}
	return list
}
