use super::*;

fn find(path: &str) -> Rpc {
    rpcs().unwrap().into_iter().find(|rpc| rpc.path() == path).unwrap()
}

#[test]
fn every_rpc_of_the_contracts_has_a_class() {
    let all = rpcs().unwrap();
    assert!(all.len() > 20, "{} RPCs", all.len());
}

#[test]
fn a_name_without_a_known_verb_is_refused_with_its_path() {
    let method = |name: &str| MethodDescriptorProto { name: Some(name.into()), ..Default::default() };
    let problem = classify("orders", "sipup.orders.v1.OrderService", &method("Frobnicate")).unwrap_err();
    assert!(problem.to_string().contains("OrderService/Frobnicate"), "{problem}");
    let search = classify("orders", "sipup.orders.v1.OrderService", &method("SearchOrders")).unwrap();
    assert_eq!((search.class, search.access), (Class::Read, Access::Required));
}

#[test]
fn a_watch_is_a_stream_for_those_with_a_token() {
    let watch = find("/sipup.orders.v1.OrderService/WatchOrder");
    assert_eq!((watch.class, watch.access), (Class::Stream, Access::Required));
}

#[test]
fn sessions_begin_without_a_token_and_visitors_may_look_at_the_catalogue() {
    for method in ["Register", "Login", "Refresh", "Logout"] {
        let rpc = find(&format!("/sipup.auth.v1.AuthService/{method}"));
        assert_eq!((rpc.class, rpc.access), (Class::Write, Access::Anonymous), "{method}");
    }
    assert_eq!(find("/sipup.auth.v1.AuthService/GetMe").access, Access::Required);
    assert_eq!(find("/sipup.catalog.v1.CatalogService/ListProducts").access, Access::Optional);
    assert_eq!(find("/sipup.catalog.v1.CatalogService/CreateProduct").access, Access::Required);
}

#[test]
fn prices_of_companies_are_for_those_with_a_token() {
    for rpc in rpcs().unwrap().iter().filter(|rpc| rpc.service == "sipup.catalog.v1.PriceService") {
        assert_eq!(rpc.access, Access::Required, "{}", rpc.path());
    }
    assert_eq!(find("/sipup.catalog.v1.PriceService/PriceItems").class, Class::Read);
    assert_eq!(find("/sipup.catalog.v1.PriceService/BatchSetPrices").class, Class::Bulk);
}

#[test]
fn every_open_path_is_in_the_contracts() {
    let all: Vec<String> = rpcs().unwrap().iter().map(Rpc::path).collect();
    for path in ANONYMOUS {
        assert!(all.iter().any(|known| known == path), "{path}");
    }
}

#[test]
fn batches_of_writes_are_bulk_and_batches_of_reads_are_reads() {
    assert_eq!(find("/sipup.catalog.v1.CatalogService/BatchCreateProducts").class, Class::Bulk);
    assert_eq!(find("/sipup.catalog.v1.CatalogService/BatchGetProducts").class, Class::Read);
}

#[test]
fn the_limiter_is_internal() {
    for rpc in rpcs().unwrap().iter().filter(|rpc| rpc.area == "ratelimit") {
        assert_eq!(rpc.access, Access::Internal, "{}", rpc.path());
    }
}

#[test]
fn a_package_outside_the_convention_is_refused() {
    for package in ["shop.orders.v1", "sipup.orders", "sipup.orders.beta"] {
        let file = FileDescriptorProto { package: Some(package.into()), ..Default::default() };
        assert_eq!(area(&file), None, "{package}");
    }
}
