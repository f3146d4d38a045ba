"""A buyer's day over gRPC, from Python, without generated code: every message comes from the server's reflection.

usage: story.py HOST:PORT SELLER_EMAIL SELLER_PASSWORD

Prints one line for each thing that held, ends with the order's id, and exits with 1 at the first thing that did not hold.
"""

import sys
import uuid

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Platform:
    """Calls any method of any service by name, with keyword arguments as the request."""

    def __init__(self, target):
        # Retries off: the story sees every failure.
        self.channel = grpc.insecure_channel(target, options=[("grpc.enable_retries", 0)])
        self.pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        self.token = None

    def read(self, name, data):
        return GetMessageClass(self.pool.FindMessageTypeByName(name)).FromString(data)

    def call(self, method, /, metadata=(), raw=False, **fields):
        """Returns the response (its bytes if raw) and the metadata that came with it."""
        service_name, method_name = method.rsplit(".", 1)
        descriptor = self.pool.FindServiceByName(service_name).FindMethodByName(method_name)
        request = GetMessageClass(descriptor.input_type)(**fields)
        response_class = GetMessageClass(descriptor.output_type)
        rpc = self.channel.unary_unary(
            f"/{service_name}/{method_name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=(lambda data: data) if raw else response_class.FromString,
        )
        if self.token:
            metadata = (*metadata, ("authorization", f"Bearer {self.token}"))
        response, call = rpc.with_call(request, metadata=metadata, timeout=30)
        return response, {**dict(call.initial_metadata()), **dict(call.trailing_metadata())}

    def refused(self, code, method, /, **fields):
        """Checks that the call is refused with `code`, and returns the error."""
        try:
            self.call(method, **fields)
        except grpc.RpcError as error:
            check(error.code() == code, f"{method} is refused with {code.name}, not {error.code().name}: {error.details()}")
            return error
        return check(False, f"{method} should have been refused with {code.name}")


def check(condition, what):
    if not condition:
        print(f"FAILED {what}")
        sys.exit(1)


def held(what):
    print(f"ok {what}")


CATALOG = "sipup.catalog.v1.CatalogService"
ORDERS = "sipup.orders.v1.OrderService"
INVENTORY = "sipup.orders.v1.InventoryService"
AUTH = "sipup.auth.v1.AuthService"


def register_and_log_in(platform, password):
    email = f"buyer-{uuid.uuid4()}@example.com"
    registered, _ = platform.call(f"{AUTH}.Register", company_name="Python & Söhne", email=email, password=password)
    check(registered.user.company_id == registered.company.id, "the first user belongs to the new company")
    platform.refused(grpc.StatusCode.ALREADY_EXISTS, f"{AUTH}.Register", company_name="x", email=email.upper(), password=password)
    platform.refused(grpc.StatusCode.UNAUTHENTICATED, f"{AUTH}.Login", email=email, password="not the password")
    logged_in, _ = platform.call(f"{AUTH}.Login", email=email, password=password)
    platform.token = logged_in.tokens.access_token
    me, _ = platform.call(f"{AUTH}.GetMe")
    check(me.user.email == email and me.company.name == "Python & Söhne", "the token stands for the new user")
    held("register and log in")
    return email


def browse(platform):
    page, _ = platform.call(f"{CATALOG}.ListProducts", page_size=20, order_by="price", filter="price >= 100")
    check(len(page.products) == 20 and page.next_page_token, "the first page is full and there is another")
    prices = [product.price.minor_units for product in page.products]
    check(prices == sorted(prices) and prices[0] >= 100, "the page is filtered and in order")
    second, _ = platform.call(
        f"{CATALOG}.ListProducts", page_size=20, order_by="price", filter="price >= 100", page_token=page.next_page_token
    )
    seen = {product.id for product in page.products}
    check(not seen & {product.id for product in second.products}, "no product is on two pages")
    platform.refused(
        grpc.StatusCode.INVALID_ARGUMENT, f"{CATALOG}.ListProducts", page_size=20, order_by="name", page_token=page.next_page_token
    )
    product = page.products[0]
    got, _ = platform.call(f"{CATALOG}.GetProduct", id=product.id)
    check(got.product.sku == product.sku, "a product is the same in the list and alone")
    held("browse and filter")
    return page.products[:3]


def order_twice(platform, products):
    key = f"story-{uuid.uuid4()}"
    items = [{"sku": product.sku, "quantity": n + 1} for n, product in enumerate(products)]
    before = stock(platform, products[0].sku)
    first, headers = platform.call(f"{ORDERS}.CreateOrder", items=items, request_id=key, raw=True)
    check("idempotent-replayed" not in headers and "sipup-lsn" in headers, "a new order is new, and says where it was committed")
    second, headers = platform.call(f"{ORDERS}.CreateOrder", items=items, metadata=(("idempotency-key", key),), raw=True)
    check(first == second and headers.get("idempotent-replayed") == "true", "the same key gives the same bytes")
    check(stock(platform, products[0].sku) == before - 1, "stock was taken once")
    platform.refused(grpc.StatusCode.INVALID_ARGUMENT, f"{ORDERS}.CreateOrder", items=items[:1], request_id=key)
    order = platform.read("sipup.orders.v1.CreateOrderResponse", first).order
    total = sum(product.price.minor_units * (n + 1) for n, product in enumerate(products))
    check(order.total.minor_units == total, "the total is the sum of prices")
    held("order twice with one key")
    return order


def stock(platform, sku):
    inventory, _ = platform.call(f"{INVENTORY}.GetInventory", sku=sku)
    return inventory.inventory.on_hand


def order_too_much(platform, products):
    before = [stock(platform, product.sku) for product in products]
    items = [
        {"sku": products[0].sku, "quantity": 1},
        {"sku": products[1].sku, "quantity": 1_000_000},
    ]
    error = platform.refused(
        grpc.StatusCode.FAILED_PRECONDITION, f"{ORDERS}.CreateOrder", items=items, request_id=f"too-much-{uuid.uuid4()}"
    )
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    check(b"OUT_OF_STOCK" in details and b"items[1]" in details and b"items[0]" not in details, "the error names the line that lacks")
    check([stock(platform, product.sku) for product in products] == before, "a refused order changes nothing")
    held("order more than there is")


def keep_apart(platform, target, order, password):
    stranger = Platform(target)
    register_and_log_in(stranger, password)
    stranger.refused(grpc.StatusCode.NOT_FOUND, f"{ORDERS}.GetOrder", id=order.id)
    stranger.refused(grpc.StatusCode.NOT_FOUND, f"{ORDERS}.CancelOrder", id=order.id)
    listed, _ = stranger.call(f"{ORDERS}.ListOrders")
    check(not listed.orders, "another company's list is empty")
    Platform(target).refused(grpc.StatusCode.UNAUTHENTICATED, f"{ORDERS}.GetOrder", id=order.id)
    held("another company sees nothing")


def cancel(platform, products, order):
    before = stock(platform, products[0].sku)
    cancelled, _ = platform.call(f"{ORDERS}.CancelOrder", id=order.id, reason="changed our minds")
    # Read back at once, without the position header: the platform remembers for the user.
    got, _ = platform.call(f"{ORDERS}.GetOrder", id=order.id)
    check(got.order.state == cancelled.order.state == 3, "what was cancelled is cancelled for the next read")
    check(stock(platform, products[0].sku) == before + 1, "the stock is back")
    held("cancel and read back")


def sell(platform, target, some, email, password):
    seller = Platform(target)
    logged_in, _ = seller.call(f"{AUTH}.Login", email=email, password=password)
    seller.token = logged_in.tokens.access_token
    sku = f"PY-{uuid.uuid4()}"
    price = {"currency_code": "EUR", "minor_units": 4_999}
    product = {"sku": sku, "name": "Schlüssel 7×8", "category_id": some.category_id, "price": price}
    platform.refused(grpc.StatusCode.PERMISSION_DENIED, f"{CATALOG}.CreateProduct", product=product)
    created, _ = seller.call(f"{CATALOG}.CreateProduct", product=product)
    got, _ = seller.call(f"{CATALOG}.GetProduct", id=created.product.id)
    check(got.product.name == "Schlüssel 7×8", "a new product is there for the next read")
    adjustment = {"sku": sku, "delta": 5}
    adjusted, _ = seller.call(f"{INVENTORY}.BatchAdjustInventory", adjustments=[adjustment])
    check(adjusted.inventories[0].on_hand == 5, "new stock begins at zero")
    platform.refused(grpc.StatusCode.PERMISSION_DENIED, f"{INVENTORY}.BatchAdjustInventory", adjustments=[adjustment])
    held("the seller's side")


def main():
    target, seller_email, seller_password = sys.argv[1:]
    password = str(uuid.uuid4())
    platform = Platform(target)
    register_and_log_in(platform, password)
    products = browse(platform)
    order = order_twice(platform, products)
    order_too_much(platform, products)
    keep_apart(platform, target, order, password)
    cancel(platform, products, order)
    sell(platform, target, products[0], seller_email, seller_password)
    print(order.id)


if __name__ == "__main__":
    main()
