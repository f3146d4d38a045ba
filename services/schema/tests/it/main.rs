#[tokio::test]
async fn smoke() {
    let url = "postgres://postgres@127.0.0.1:21000/smoke?sslmode=prefer";
    let p = schema::RolePasswords::none();
    let a = schema::migrate(url, &p).await.unwrap();
    println!("{a:#?}");
    let b = schema::migrate(url, &p).await.unwrap();
    assert!(b.is_unchanged(), "{b:?}");
}
