//! The files for the Helm chart: what is committed, and what they become with values.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use ingress::{
    Backend, CHART_TLS_FOLDER, CHART_XDS_FOLDER, ChartFile, Config, Endpoints, Files, Limiter, LocalLimit,
    Otlp, Tls, chart, chart_descriptors,
};
use serde_json::{Value, json};

use crate::template;

/// What the chart ships.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/sipup/files/envoy");

#[test]
fn the_chart_ships_what_the_code_says() {
    let files = chart().unwrap();
    let mut committed: Vec<String> = fs::read_dir(COMMITTED)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    committed.sort();
    let mut names: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    names.sort_unstable();
    let remedy = "run `sipup ingress render --chart charts/sipup/files/envoy`";
    assert_eq!(committed, names, "{remedy}");
    for ChartFile { name, content } in &files {
        assert!(fs::read(Path::new(COMMITTED).join(name)).unwrap() == *content, "{name}: {remedy}");
    }
}

#[test]
fn what_fits_into_a_config_map_is_small_enough() {
    let bytes: usize = chart().unwrap().iter().map(|file| file.content.len().div_ceil(3) * 4).sum();
    assert!(bytes < 900 << 10, "{bytes} bytes");
}

/// These files with these values, as Helm would write them.
fn with(chart: &[ChartFile], values: &Value) -> BTreeMap<String, Value> {
    let dot = json!({"envoy": values});
    let files = chart.iter().filter(|file| !file.name.ends_with("binpb"));
    let text = |file: &ChartFile| template::run(std::str::from_utf8(&file.content).unwrap(), &dot);
    files.map(|file| (file.name.clone(), parse(&text(file)))).collect()
}

fn parse(yaml: &str) -> Value {
    if yaml.trim().is_empty() {
        return Value::Null;
    }
    serde_saphyr::from_str(yaml).unwrap_or_else(|problem| panic!("{problem}\n{yaml}"))
}

fn files(config: &Config) -> BTreeMap<String, Value> {
    let Files { bootstrap, lds, cds, rds, sds } = config.files(Path::new(CHART_XDS_FOLDER)).unwrap();
    let named = [
        ("bootstrap", bootstrap),
        ("lds", lds),
        ("cds", cds),
        ("rds", rds),
        ("sds", sds.unwrap_or_default()),
    ];
    named.into_iter().map(|(name, value)| (format!("{name}.yaml"), value)).collect()
}

fn config() -> Config {
    let dns =
        |name: &str| format!("shop-sipup-{name}.shop.svc.cluster.local:8080").parse::<Endpoints>().unwrap();
    let backends = ["auth", "catalog", "jobs", "orders"].map(|name| Backend::new(name, dns(name)));
    let mut config =
        Config::new(backends.into(), "shop-sipup-auth.shop.svc.cluster.local:8081".parse().unwrap());
    config.jwt.issuer = "https://id.example/\"quoted\"".into();
    config.trusted_hops = 2;
    config.limits.connections = 12_345;
    config.limits.requests_per_backend = 999;
    config.limits.timeout = Duration::from_millis(31_500);
    config.limits.long_timeout = Duration::from_secs(90);
    config.local_limit = None;
    config.descriptors = chart_descriptors();
    config
}

fn values() -> Value {
    let address = |name: &str, port: u16| json!({"host": format!("shop-sipup-{name}.shop.svc.cluster.local"), "port": port});
    let names = ["auth", "catalog", "jobs", "orders"];
    let backends: BTreeMap<&str, Value> = names.map(|name| (name, address(name, 8080))).into();
    json!({
        "backends": backends,
        "jwks": address("auth", 8081),
        "issuer": "https://id.example/\"quoted\"",
        "audience": "sipup",
        "corsOrigins": [],
        "trustedHops": 2,
        "maxConnections": 12_345,
        "maxRequestsPerBackend": 999,
        "timeout": "31.500000000s",
        "longTimeout": "90s",
        "streamTimeout": "3600s",
        "healthInterval": "3s",
        "tls": false,
        "heapBytes": 0,
    })
}

/// An option, and the values that say the same.
type Choice = (fn(&mut Config), fn(&mut Value));

const CHOICES: [Choice; 6] = [
    (
        |config| config.limiter = Some(Limiter::new("limits.example:8080".parse().unwrap())),
        |values| {
            values["limiter"] = json!({"host": "limits.example", "port": 8080, "timeout": "0.100000000s"});
        },
    ),
    (
        |config| {
            let otlp = Otlp::new("collector.example:4317".parse().unwrap());
            config.otlp = Some(Otlp { per_million: 50_000, ..otlp });
        },
        |values| values["otlp"] = json!({"host": "collector.example", "port": 4317, "perMillion": 50_000}),
    ),
    (|config| config.tls = Some(Tls::new(CHART_TLS_FOLDER)), |values| values["tls"] = json!(true)),
    (
        |config| config.local_limit = Some(LocalLimit { per_second: 3, burst: 9, addresses: 100 }),
        |values| values["localLimit"] = json!({"perSecond": 3, "burst": 9, "addresses": 100}),
    ),
    (
        |config| config.limits.heap_bytes = Some(1_610_612_736),
        |values| values["heapBytes"] = json!(1_610_612_736_u64),
    ),
    (
        |config| config.cors_origins = vec!["https://one.example".into(), "https://two.example".into()],
        |values| values["corsOrigins"] = json!(["https://one.example", "https://two.example"]),
    ),
];

#[test]
fn with_values_the_chart_says_what_the_code_says_whatever_the_options() {
    let chart = chart().unwrap();
    let every = (1_u32 << CHOICES.len()) - 1;
    let alone = (0..CHOICES.len()).map(|nth| 1 << nth);
    for chosen in alone.clone().chain(alone.map(|one| every & !one)).chain([0, every]) {
        let (mut config, mut values) = (config(), values());
        for (nth, (configure, decide)) in CHOICES.iter().enumerate() {
            if chosen & (1 << nth) != 0 {
                configure(&mut config);
                decide(&mut values);
            }
        }
        let theirs = with(&chart, &values);
        for (name, ours) in files(&config) {
            assert_eq!(theirs[&name], ours, "{name} with choices {chosen:#b}");
        }
    }
}

#[test]
fn in_files_the_configuration_says_what_it_says_in_one_piece() {
    let mut config = config();
    for (configure, _) in CHOICES {
        configure(&mut config);
    }
    config.tls = None;
    let whole = config.bootstrap().unwrap();
    let files = files(&config);
    let routes = without_type(files["rds.yaml"]["resources"][0].clone());
    let mut listener = without_type(files["lds.yaml"]["resources"][0].clone());
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    assert_eq!(manager["rds"]["route_config_name"], routes["name"]);
    manager.as_object_mut().unwrap().remove("rds");
    manager["route_config"] = routes;
    let fixed = &files["bootstrap.yaml"]["static_resources"];
    let mut clusters: Vec<Value> =
        files["cds.yaml"]["resources"].as_array().unwrap().iter().cloned().map(without_type).collect();
    clusters.push(fixed["clusters"][0].clone());
    let expected = json!({"listeners": [listener, fixed["listeners"][0]], "clusters": clusters});
    assert_eq!(whole["static_resources"], expected);
    for part in ["admin", "stats_config", "overload_manager", "layered_runtime"] {
        assert_eq!(whole[part], files["bootstrap.yaml"][part], "{part}");
    }
}

fn without_type(mut resource: Value) -> Value {
    resource.as_object_mut().unwrap().remove("@type");
    resource
}
