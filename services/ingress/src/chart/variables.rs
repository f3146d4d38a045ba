//! What a release decides.

use serde_json::{Value, json};

use crate::{Config, Endpoints};

/// Name of the dict that holds all variables.
const DICT: &str = "envoy";

/// One value, or one option, that a release decides.
pub(super) struct Variable {
    /// Path as templates say it: `.envoy.limiter.host`.
    pub(super) name: String,
    /// What it means, with its form.
    pub(super) about: &'static str,
    /// How it is written.
    pub(super) form: Form,
    /// Gives it another value.
    pub(super) change: Box<dyn Fn(&mut Config)>,
}

/// How a variable is written.
pub(super) enum Form {
    /// As a number or a text that stands there as it is; the value that [`Variable::change`] gives it.
    Plain(Value),
    /// As one element for each of a list of texts; the text of the first.
    Each(String),
    /// Not at all: without it, something is left out.
    If,
}

impl Variable {
    /// Its line in the head of a file.
    pub(super) fn line(&self) -> String {
        format!("  {:<32}{}", self.name, self.about)
    }

    fn new(
        name: impl AsRef<str>,
        about: &'static str,
        form: Form,
        change: impl Fn(&mut Config) + 'static,
    ) -> Self {
        let name = format!(".{DICT}.{}", name.as_ref());
        Self { name, about, form, change: Box::new(change) }
    }
}

const OTHER_HOST: &str = "elsewhere";
const OTHER_PORT: u16 = 2;

/// Every variable; `config` has every option.
pub(super) fn all(config: &Config) -> Vec<Variable> {
    let mut all = Vec::new();
    for (index, backend) in config.backends.iter().enumerate() {
        let name = format!("backends.{}", backend.name);
        all.extend(address(&name, move |config| Some(&mut config.backends[index].endpoints)));
    }
    all.extend(address("jwks", |config| Some(&mut config.jwt.jwks)));
    all.extend(tokens());
    all.extend(limits());
    all.extend(limiter());
    all.extend(otlp());
    all
}

fn address(
    of: &str,
    endpoints: impl Fn(&mut Config) -> Option<&mut Endpoints> + Copy + 'static,
) -> [Variable; 2] {
    let set = move |config: &mut Config, change: fn(&mut String, &mut u16)| {
        if let Some(Endpoints::Dns { host, port }) = endpoints(config) {
            change(host, port);
        }
    };
    [
        Variable::new(
            format!("{of}.host"),
            "text: the name that resolves to its pods' addresses",
            Form::Plain(json!(OTHER_HOST)),
            move |config| set(config, |host, _| OTHER_HOST.clone_into(host)),
        ),
        Variable::new(format!("{of}.port"), "number", Form::Plain(json!(OTHER_PORT)), move |config| {
            set(config, |_, port| *port = OTHER_PORT);
        }),
    ]
}

fn tokens() -> [Variable; 5] {
    [
        Variable::new(
            "issuer",
            "text: the `iss` of access tokens",
            Form::Plain(json!(OTHER_HOST)),
            |config| OTHER_HOST.clone_into(&mut config.jwt.issuer),
        ),
        Variable::new(
            "audience",
            "text: the `aud` of access tokens",
            Form::Plain(json!(OTHER_HOST)),
            |config| OTHER_HOST.clone_into(&mut config.jwt.audience),
        ),
        Variable::new("corsOrigins", "list of texts; empty: no page may call", Form::If, |config| {
            config.cors_origins.clear();
        }),
        Variable::new(
            "corsOrigins",
            "  each like `https://shop.example`",
            Form::Each("https://somewhere".to_owned()),
            |config| config.cors_origins.push("https://elsewhere".to_owned()),
        ),
        Variable::new("tls", "true or false: serve TLS on 8443 beside 8080", Form::If, |config| {
            config.tls = None;
        }),
    ]
}

fn limits() -> Vec<Variable> {
    vec![
        number("trustedHops", "number of proxies in front of Envoy, exactly", |config, other| {
            config.trusted_hops = other;
        }),
        number("maxConnections", "number of client connections per Envoy", |config, other| {
            config.limits.connections = other;
        }),
        number("maxRequestsPerBackend", "number of calls in flight to a service", |config, other| {
            config.limits.requests_per_backend = other;
        }),
        Variable::new("heapBytes", "number, 0: no limit", Form::If, |config| config.limits.heap_bytes = None),
        number("heapBytes", "  about 80 % of the memory limit", |config, other| {
            config.limits.heap_bytes = Some(other.into());
        }),
        span("timeout", "text: longest unary call, like `60s`", |config, other| {
            config.limits.timeout = other;
        }),
        span("longTimeout", "text: longest call of many things, like `300s`", |config, other| {
            config.limits.long_timeout = other;
        }),
        span("streamTimeout", "text: longest stream, like `3600s`", |config, other| {
            config.limits.stream_timeout = other;
        }),
        span("healthInterval", "text: between health checks of a pod, like `3s`", |config, other| {
            config.limits.health_interval = other;
        }),
        Variable::new(
            "localLimit",
            "dict per client address and Envoy; none: no limit",
            Form::If,
            |config| {
                config.local_limit = None;
            },
        ),
        number("localLimit.perSecond", "number of calls, steadily", |config, other| {
            config.local_limit.get_or_insert_default().per_second = other;
        }),
        number("localLimit.burst", "number of calls at once", |config, other| {
            config.local_limit.get_or_insert_default().burst = other;
        }),
        number("localLimit.addresses", "number of addresses remembered", |config, other| {
            config.local_limit.get_or_insert_default().addresses = other;
        }),
    ]
}

fn limiter() -> Vec<Variable> {
    let mut all = vec![Variable::new("limiter", "dict: the global limiter; none: off", Form::If, |config| {
        config.limiter = None;
    })];
    all.extend(address("limiter", |config| config.limiter.as_mut().map(|limiter| &mut limiter.endpoints)));
    all.push(span("limiter.timeout", "text: longest wait for it, like `0.1s`", |config, other| {
        if let Some(limiter) = &mut config.limiter {
            limiter.timeout = other;
        }
    }));
    all
}

fn otlp() -> Vec<Variable> {
    let mut all =
        vec![Variable::new("otlp", "dict: the collector of spans; none: off", Form::If, |config| {
            config.otlp = None;
        })];
    all.extend(address("otlp", |config| config.otlp.as_mut().map(|otlp| &mut otlp.endpoints)));
    all.push(number("otlp.perMillion", "number of new traces recorded, of a million", |config, other| {
        if let Some(otlp) = &mut config.otlp {
            otlp.per_million = other;
        }
    }));
    all
}

fn number(name: &str, about: &'static str, set: fn(&mut Config, u32)) -> Variable {
    const OTHER: u32 = 7;
    Variable::new(name, about, Form::Plain(json!(OTHER)), move |config| set(config, OTHER))
}

fn span(name: &str, about: &'static str, set: fn(&mut Config, std::time::Duration)) -> Variable {
    const OTHER: std::time::Duration = std::time::Duration::from_secs(7);
    Variable::new(name, about, Form::Plain(json!("7s")), move |config| set(config, OTHER))
}
