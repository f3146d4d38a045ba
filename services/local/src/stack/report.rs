//! What people read when the stack is ready.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use crate::stack::{DemoUser, StackInfo};

/// Prints where everything is and what to try.
pub(super) fn ready(info: &StackInfo, took: Duration) {
    // Nobody may be reading; the stack runs all the same.
    let _ = std::io::stdout().write_all(text(info, took).as_bytes());
}

fn text(info: &StackInfo, took: Duration) -> String {
    let mut text = format!("\nsipup is ready after {:.1} s. Ctrl-C stops it.\n\n", took.as_secs_f32());
    for (what, place) in places(info) {
        // Writing to a string can't fail, here and below.
        let _ = writeln!(text, "  {what:<22} {place}");
    }
    if let Some(buyer) = info.users.iter().find(|user| user.role == "buyer") {
        text.push_str("\nDemo users\n\n");
        for user in &info.users {
            let _ = writeln!(text, "  {:<22} {:<22} password {}", user.role, user.email, user.password);
        }
        text.push_str("\nTo try\n\n");
        for command in commands(info, buyer) {
            let _ = writeln!(text, "  {command}");
        }
    }
    text.push('\n');
    text
}

fn places(info: &StackInfo) -> Vec<(String, String)> {
    let mut places = vec![("gRPC, gRPC-Web, REST".to_owned(), info.url.clone())];
    for service in &info.services {
        places.push((service.name.clone(), format!("{}  admin {}", service.url, service.admin_url)));
    }
    places.push((
        "Envoy".to_owned(),
        format!("{}/metrics  admin {}", info.ingress_metrics_url, info.ingress_admin_url),
    ));
    places.push(("Postgres primary".to_owned(), info.postgres_url.clone()));
    places.extend(info.postgres_replica_url.iter().map(|url| ("Postgres replica".to_owned(), url.clone())));
    places.push(("Valkey".to_owned(), info.redis_nodes.join(" ")));
    places.push(("e-mails".to_owned(), info.mail.display().to_string()));
    places.push(("logs".to_owned(), info.logs.display().to_string()));
    places
}

/// Five commands that work as they are, in this order, in one shell.
fn commands(info: &StackInfo, buyer: &DemoUser) -> [String; 5] {
    let url = &info.url;
    let host = url.trim_start_matches("http://");
    let python =
        |expression: &str| format!("python3 -c 'import json, sys; print(json.load(sys.stdin){expression})'");
    let login = format!("-d '{{\"email\": \"{}\", \"password\": \"{}\"}}'", buyer.email, buyer.password);
    let catalog = info.services.first().map_or(host, |service| service.url.trim_start_matches("http://"));
    [
        format!("curl -s '{url}/v1/products?page_size=3&order_by=price'"),
        format!("TOKEN=$(curl -s {url}/v1/auth/login {login} | {})", python("[\"tokens\"][\"accessToken\"]")),
        format!("SKU=$(curl -s '{url}/v1/products?page_size=1' | {})", python("[\"products\"][0][\"sku\"]")),
        format!(
            "curl -s {url}/v1/orders -H \"authorization: Bearer $TOKEN\" -H \"idempotency-key: $(date +%s)\" \
             -d \"{{\\\"items\\\": [{{\\\"sku\\\": \\\"$SKU\\\", \\\"quantity\\\": 2}}]}}\""
        ),
        format!(
            "grpcurl -plaintext -d '{{\"page_size\": 3}}' {catalog} sipup.catalog.v1.CatalogService/ListProducts"
        ),
    ]
}
