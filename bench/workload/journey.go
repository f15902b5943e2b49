package workload

// extra are the fields that an event carries beyond those of its session.
type extra uint16

const (
	item    extra = 1 << iota // item_id, price
	amount                    // amount
	latency                   // latency_ms
	query                     // query, result_count
	coupon                    // coupon_id
	order                     // order_id
	failed                    // error_code
)

// state is a step of a journey: the event that it emits and where it leads. The weights are per
// thousand; what they leave of 1,000 ends the session.
type state struct {
	name  string
	page  string
	with  extra
	leads []lead
}

type lead struct {
	to     string
	weight int
}

// states are the 70 events of the shop. The purchase funnel is app_open, search, view_item,
// add_cart, checkout, submit_order, pay_success.
var states = []state{
	{"app_open", "packageShop/pages/home/index", latency, []lead{{"home_view", 640}, {"splash_view", 150}, {"login", 80}, {"search", 60}, {"coupon_center", 20}, {"live_view", 20}}},
	{"splash_view", "packageShop/pages/splash/index", 0, []lead{{"home_view", 880}, {"banner_click", 60}}},
	{"home_view", "packageShop/pages/home/index", latency, []lead{{"banner_view", 190}, {"search_focus", 130}, {"search", 120}, {"category_view", 130}, {"recommend_view", 150}, {"live_view", 30}, {"coupon_center", 40}, {"sign_in_daily", 50}, {"order_list", 40}, {"profile_view", 30}, {"message_list", 20}}},
	{"login", "packageShop/pages/login/index", latency, []lead{{"home_view", 800}, {"login_fail", 60}, {"register", 60}}},
	{"login_fail", "packageShop/pages/login/index", failed, []lead{{"login", 600}, {"customer_service", 30}}},
	{"register", "packageShop/pages/login/register", latency, []lead{{"home_view", 850}, {"coupon_claim", 80}}},
	{"banner_view", "packageShop/pages/home/index", 0, []lead{{"banner_click", 260}, {"search", 200}, {"category_view", 200}, {"recommend_view", 250}}},
	{"banner_click", "packageShop/pages/activity/index", 0, []lead{{"view_item", 450}, {"coupon_claim", 150}, {"group_buy_view", 80}, {"list_scroll", 200}}},
	{"category_view", "packageShop/pages/category/index", latency, []lead{{"subcategory_view", 420}, {"list_scroll", 250}, {"view_item", 200}}},
	{"subcategory_view", "packageShop/pages/category/list", latency, []lead{{"list_scroll", 400}, {"filter_apply", 120}, {"sort_change", 80}, {"view_item", 300}}},
	{"list_scroll", "packageShop/pages/category/list", 0, []lead{{"list_scroll", 280}, {"view_item", 440}, {"filter_apply", 60}, {"search", 60}}},
	{"filter_apply", "packageShop/pages/category/list", latency, []lead{{"list_scroll", 350}, {"view_item", 450}}},
	{"sort_change", "packageShop/pages/category/list", latency, []lead{{"list_scroll", 400}, {"view_item", 420}}},
	{"search_focus", "packageShop/pages/search/index", 0, []lead{{"search_suggest", 350}, {"search", 550}}},
	{"search_suggest", "packageShop/pages/search/index", query, []lead{{"search", 780}, {"search_focus", 60}}},
	{"search", "packageShop/pages/search/result", query | latency, []lead{{"search_result_click", 480}, {"search_no_result", 40}, {"list_scroll", 140}, {"view_item", 180}, {"filter_apply", 50}}},
	{"search_no_result", "packageShop/pages/search/result", query, []lead{{"search", 550}, {"recommend_view", 120}}},
	{"search_result_click", "packageShop/pages/search/result", item | query, []lead{{"view_item", 960}}},
	{"view_item", "packageShop/pages/item/detail", item | latency, []lead{{"item_gallery", 200}, {"item_reviews", 140}, {"item_spec_select", 130}, {"add_cart", 140}, {"recommend_view", 90}, {"favorite_add", 40}, {"item_video_play", 30}, {"item_share", 20}, {"search", 50}, {"list_scroll", 60}, {"item_qa", 15}}},
	{"item_gallery", "packageShop/pages/item/detail", item, []lead{{"item_gallery", 200}, {"item_reviews", 200}, {"item_spec_select", 190}, {"add_cart", 120}, {"list_scroll", 100}, {"search", 50}}},
	{"item_video_play", "packageShop/pages/item/detail", item | latency, []lead{{"item_video_end", 500}, {"item_gallery", 200}, {"add_cart", 100}}},
	{"item_video_end", "packageShop/pages/item/detail", item, []lead{{"add_cart", 250}, {"item_reviews", 300}, {"recommend_view", 200}}},
	{"item_reviews", "packageShop/pages/item/reviews", item | latency, []lead{{"item_spec_select", 260}, {"add_cart", 200}, {"item_qa", 40}, {"list_scroll", 150}, {"item_gallery", 120}}},
	{"item_qa", "packageShop/pages/item/qa", item, []lead{{"customer_service", 120}, {"add_cart", 250}, {"item_reviews", 250}}},
	{"item_spec_select", "packageShop/pages/item/detail", item, []lead{{"add_cart", 480}, {"checkout", 90}, {"item_spec_select", 120}, {"list_scroll", 100}}},
	{"item_share", "packageShop/pages/item/detail", item, []lead{{"view_item", 300}, {"add_cart", 150}, {"app_hide", 250}}},
	{"favorite_add", "packageShop/pages/item/detail", item, []lead{{"add_cart", 200}, {"list_scroll", 350}, {"favorite_list", 80}}},
	{"favorite_remove", "packageShop/pages/me/favorites", item, []lead{{"favorite_list", 500}}},
	{"favorite_list", "packageShop/pages/me/favorites", latency, []lead{{"view_item", 600}, {"favorite_remove", 80}}},
	{"recommend_view", "packageShop/pages/home/index", latency, []lead{{"recommend_click", 420}, {"list_scroll", 180}, {"search", 90}}},
	{"recommend_click", "packageShop/pages/home/index", item, []lead{{"view_item", 970}}},
	{"add_cart", "packageShop/pages/item/detail", item | latency, []lead{{"view_cart", 420}, {"checkout", 130}, {"recommend_view", 120}, {"list_scroll", 140}, {"search", 70}}},
	{"view_cart", "packageShop/pages/cart/index", latency, []lead{{"checkout", 400}, {"cart_update", 150}, {"remove_cart", 60}, {"coupon_view", 80}, {"view_item", 90}}},
	{"cart_update", "packageShop/pages/cart/index", item | amount, []lead{{"checkout", 500}, {"view_cart", 200}}},
	{"remove_cart", "packageShop/pages/cart/index", item, []lead{{"view_cart", 450}, {"list_scroll", 150}}},
	{"checkout", "packageShop/pages/checkout/index", amount | latency, []lead{{"address_select", 180}, {"shipping_select", 120}, {"coupon_use", 170}, {"submit_order", 360}, {"address_add", 40}}},
	{"address_select", "packageShop/pages/checkout/address", 0, []lead{{"submit_order", 560}, {"shipping_select", 200}, {"coupon_use", 110}}},
	{"address_add", "packageShop/pages/checkout/address", latency, []lead{{"submit_order", 650}, {"shipping_select", 150}}},
	{"shipping_select", "packageShop/pages/checkout/index", 0, []lead{{"submit_order", 700}, {"coupon_use", 130}}},
	{"coupon_use", "packageShop/pages/checkout/index", coupon | amount, []lead{{"submit_order", 840}}},
	{"submit_order", "packageShop/pages/checkout/index", order | amount | latency, []lead{{"pay_start", 920}, {"order_cancel", 20}}},
	{"pay_start", "packageShop/pages/pay/index", order | amount | latency, []lead{{"pay_success", 810}, {"pay_fail", 60}, {"pay_cancel", 90}}},
	{"pay_success", "packageShop/pages/pay/result", order | amount | latency, []lead{{"order_detail", 300}, {"recommend_view", 200}, {"points_view", 40}, {"lottery_draw", 60}, {"share_click", 40}}},
	{"pay_fail", "packageShop/pages/pay/result", order | amount | failed, []lead{{"pay_start", 550}, {"customer_service", 50}}},
	{"pay_cancel", "packageShop/pages/pay/index", order | amount, []lead{{"pay_start", 280}, {"order_cancel", 120}, {"home_view", 200}}},
	{"coupon_center", "packageShop/pages/coupon/index", latency, []lead{{"coupon_view", 520}, {"coupon_claim", 280}}},
	{"coupon_view", "packageShop/pages/coupon/detail", coupon, []lead{{"coupon_claim", 420}, {"list_scroll", 200}, {"view_cart", 80}}},
	{"coupon_claim", "packageShop/pages/coupon/detail", coupon | latency, []lead{{"list_scroll", 320}, {"view_item", 260}, {"view_cart", 140}, {"coupon_expired", 10}}},
	{"coupon_expired", "packageShop/pages/coupon/index", coupon | failed, []lead{{"coupon_center", 300}, {"home_view", 200}}},
	{"order_list", "packageShop/pages/order/list", latency, []lead{{"order_detail", 620}, {"home_view", 100}}},
	{"order_detail", "packageShop/pages/order/detail", latency, []lead{{"order_track", 420}, {"review_write", 60}, {"refund_apply", 30}, {"customer_service", 40}, {"home_view", 110}}},
	{"order_track", "packageShop/pages/order/track", latency, []lead{{"home_view", 180}, {"order_confirm", 80}}},
	{"order_cancel", "packageShop/pages/order/detail", order, []lead{{"home_view", 250}}},
	{"order_confirm", "packageShop/pages/order/detail", 0, []lead{{"review_write", 350}, {"home_view", 150}}},
	{"refund_apply", "packageShop/pages/order/refund", amount | latency, []lead{{"refund_success", 600}, {"customer_service", 150}}},
	{"refund_success", "packageShop/pages/order/refund", amount, []lead{{"home_view", 200}}},
	{"review_write", "packageShop/pages/order/review", item, []lead{{"points_view", 150}, {"home_view", 150}}},
	{"live_view", "packageShop/pages/live/room", latency, []lead{{"live_like", 350}, {"live_comment", 120}, {"view_item", 220}}},
	{"live_like", "packageShop/pages/live/room", 0, []lead{{"live_like", 300}, {"live_comment", 120}, {"view_item", 220}}},
	{"live_comment", "packageShop/pages/live/room", 0, []lead{{"live_like", 300}, {"view_item", 250}}},
	{"group_buy_view", "packageShop/pages/group/index", item | latency, []lead{{"group_buy_join", 250}, {"view_item", 350}}},
	{"group_buy_join", "packageShop/pages/group/detail", item | amount, []lead{{"checkout", 600}, {"share_click", 150}}},
	{"sign_in_daily", "packageShop/pages/me/signin", latency, []lead{{"points_view", 300}, {"lottery_draw", 150}, {"home_view", 250}}},
	{"points_view", "packageShop/pages/me/points", 0, []lead{{"lottery_draw", 200}, {"home_view", 200}}},
	{"lottery_draw", "packageShop/pages/activity/lottery", latency, []lead{{"coupon_claim", 250}, {"share_click", 120}, {"lottery_draw", 200}}},
	{"share_click", "packageShop/pages/activity/share", 0, []lead{{"home_view", 300}, {"app_hide", 300}}},
	{"profile_view", "packageShop/pages/me/index", latency, []lead{{"order_list", 350}, {"favorite_list", 150}, {"coupon_center", 150}, {"points_view", 60}, {"customer_service", 30}}},
	{"message_list", "packageShop/pages/me/messages", latency, []lead{{"order_detail", 250}, {"coupon_view", 250}, {"home_view", 200}}},
	{"customer_service", "packageShop/pages/service/chat", latency, []lead{{"order_detail", 200}, {"view_item", 200}}},
	{"app_hide", "packageShop/pages/home/index", 0, []lead{{"home_view", 250}}},
}

// Funnel is the purchase journey, in order.
var Funnel = []string{"app_open", "search", "view_item", "add_cart", "checkout", "submit_order", "pay_success"}
