//! What the demo asks the API. A mutation's field is called `result`.

pub(super) const BROWSE: &str = "query { products(first: 12) {
    totalCount nodes { id title variants { id sku price(currencyCode: GBP) { amount } } }
} }";

pub(super) const SEARCH: &str = "query ($query: String!) { search(query: $query, first: 5) {
    totalCount nodes { id title }
} }";

pub(super) const PRODUCT: &str = "query ($id: ID!) { product(id: $id) {
    id title published variants { id sku quantityAvailable price(currencyCode: GBP) { amount currencyCode } }
} }";

pub(super) const CART_CREATE: &str =
    "mutation ($input: CartCreateInput!) { result: cartCreate(input: $input) {
    cart { id status } userErrors { code message }
} }";

pub(super) const CART_LINES_ADD: &str = "mutation ($cartId: ID!, $lines: [CartLineInput!]!) {
    result: cartLinesAdd(cartId: $cartId, lines: $lines) {
        cart { totalQuantity cost { subtotalAmount { amount } } } userErrors { code message }
    }
}";

pub(super) const CART_DELIVERY_SET: &str = "mutation ($input: CartDeliverySetInput!) {
    result: cartDeliverySet(input: $input) { cart { countryCode } userErrors { code message } }
}";

pub(super) const CART_SHIPPING_SET: &str = "mutation ($cartId: ID!, $shippingMethod: String!) {
    result: cartShippingSet(cartId: $cartId, shippingMethod: $shippingMethod) {
        cart { shippingMethod cost {
            shippingAmount { amount } totalTaxAmount { amount } totalAmount { amount currencyCode }
        } }
        userErrors { code message }
    }
}";

pub(super) const CART_SUBMIT: &str =
    "mutation ($input: CartSubmitInput!) { result: cartSubmit(input: $input) {
    orderId position replayed userErrors { code message }
} }";

pub(super) const ORDER: &str = "query ($id: ID!, $after: Position) { order(id: $id, after: $after) {
    status paymentStatus fulfilmentStatus
    cost { totalAmount { amount } } payment { captured { amount } refunded { amount } }
    shipments { id location status lines { quantity } }
} }";

pub(super) const SHIPMENT_PACK: &str = "mutation ($shipmentId: ID!) {
    result: shipmentPack(shipmentId: $shipmentId) { shipment { status } userErrors { code message } }
}";

pub(super) const SHIPMENT_DISPATCH: &str = "mutation ($input: ShipmentDispatchInput!) {
    result: shipmentDispatch(input: $input) { orderId userErrors { code message } }
}";

pub(super) const CARRIER_REPORT: &str = "mutation ($input: ShipmentCarrierReportInput!) {
    result: shipmentCarrierReport(input: $input) { shipment { status } userErrors { code message } }
}";

pub(super) const STOCK_RECEIVE: &str = "mutation ($input: StockReceiveInput!) {
    result: stockReceive(input: $input) { stock { location onHand } userErrors { code message } }
}";

pub(super) const REFUND_CREATE: &str = "mutation ($input: RefundCreateInput!) {
    result: refundCreate(input: $input) {
        refundId payment { refundable { amount } } position userErrors { code message }
    }
}";

pub(super) const HISTORY: &str = "query ($id: ID!) { order(id: $id) { history(first: 100) {
    nodes { id position type actor causationId }
} } }";
