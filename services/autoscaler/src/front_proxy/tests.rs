use super::*;

fn data() -> BTreeMap<String, String> {
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap().pem();
    let entries = [
        (AUTHORITIES, pem.as_str()),
        (NAMES, r#"["front-proxy-client"]"#),
        (USER, r#"["X-Remote-User", "X-Other-User"]"#),
        (GROUP, r#"["X-Remote-Group", "X-Other-Group"]"#),
        (EXTRA, r#"["X-Remote-Extra-"]"#),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[test]
fn what_can_t_be_read_is_named() {
    assert!(FrontProxy::parse(&data()).is_ok());
    for (key, text) in [
        (AUTHORITIES, "garbage"),
        (AUTHORITIES, ""),
        (NAMES, "front-proxy-client"),
        (NAMES, r#"{"a": 1}"#),
        (USER, "[]"),
        (USER, ""),
        (USER, r#"["not a header"]"#),
        (GROUP, "[1]"),
        (UID, "x"),
        (EXTRA, r#""X-Remote-Extra-""#),
    ] {
        let mut data = data();
        data.insert(key.to_owned(), text.to_owned());
        assert_eq!(FrontProxy::parse(&data).unwrap_err().field, key, "{text}");
    }
    let mut data = data();
    data.remove(AUTHORITIES);
    assert_eq!(FrontProxy::parse(&data).unwrap_err().field, AUTHORITIES);
}

#[test]
fn older_api_servers_publish_no_header_for_ids() {
    let front_proxy = FrontProxy::parse(&data()).unwrap();
    assert!(front_proxy.uid.is_empty());
}

#[test]
fn keys_of_what_else_is_known_are_decoded_as_api_servers_do() {
    for (key, decoded) in [
        ("scopes", "scopes"),
        ("example.com%2fscopes", "example.com/scopes"),
        ("100%", "100%"),
        ("a%2", "a%2"),
        ("a%zz", "a%zz"),
        ("a%ff", "a%ff"),
        ("%c3%bc", "ü"),
    ] {
        assert_eq!(percent_decoded(key), decoded);
    }
}
