use std::time::Duration;

use jobs::{
    MailArgs,
    kinds::email::{Email, Emails},
};
use queue::{Handler as _, JobContext, Outcome};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    mail::Mail,
    smtp::MailServer,
    support::{Office, mail_args, order_placed},
};

fn read(office: &Office, id: Uuid) -> Mail {
    Mail::read(&std::fs::read(office.path(id)).unwrap())
}

fn with(mut args: Value, pointer: &str, value: &Value) -> Value {
    *args.pointer_mut(pointer).unwrap() = value.clone();
    args
}

const HEADERS: [&str; 8] =
    ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];

#[tokio::test]
async fn the_confirmation_of_an_order_is_written_as_text_and_html() {
    let office = Office::open().await;
    let mut args = order_placed("buyer@example.com");
    args["added later"] = json!(true);
    args["order"]["added later"] = json!({});
    let id = office.email(&args).await;
    office.until_state(id, "done").await;
    let mail = read(&office, id);
    assert_eq!(mail.header_names(), HEADERS);
    assert_eq!(mail.header("From"), "sipup <no-reply@sipup.test>");
    assert_eq!(mail.header("To"), "buyer@example.com");
    assert_eq!(mail.header("Subject"), "Your order PO-7 (0198c0de-0000-7000-8000-000000000001)");
    assert_eq!(mail.header("Message-ID"), format!("<{id}@sipup.test>"));
    for part in ["text/plain", "text/html"] {
        for fact in [
            "0198c0de-0000-7000-8000-000000000001",
            "Hex bolt M8",
            "BOLT-M8",
            "EUR 1.23",
            "Total: EUR 1,234.50",
        ] {
            assert!(mail.part(part).contains(fact), "{fact} is not in {}", mail.part(part));
        }
    }
    office.stop().await;
}

#[tokio::test]
async fn names_keep_their_letters_and_become_neither_headers_nor_html() {
    let office = Office::open().await;
    let mut args = order_placed("zoe@example.com");
    args["name"] = json!("Zoë Müller\r\nBcc: evil@example.com");
    args["order"]["purchase_order_number"] = json!("Größe 7\r\nX-Evil: 1\r\n\r\n<b>");
    args["order"]["lines"][0]["name"] = json!("Schraube „groß“ <script>alert(1)</script> 螺栓");
    let id = office.email(&args).await;
    office.until_state(id, "done").await;
    let mail = read(&office, id);
    assert_eq!(mail.header_names(), HEADERS);
    assert_eq!(mail.header("To").replace('"', ""), "Zoë Müller Bcc: evil@example.com <zoe@example.com>");
    assert!(mail.header("Subject").starts_with("Your order Größe 7 X-Evil: 1 <b> ("), "{mail:?}");
    assert!(mail.part("text/plain").contains("Schraube „groß“ <script>alert(1)</script> 螺栓"));
    assert!(mail.part("text/html").contains("Schraube „groß“ &lt;script&gt;alert(1)&lt;/script&gt; 螺栓"));
    assert!(!mail.part("text/html").contains("<b>Größe") && !mail.part("text/html").contains("<script"));
    office.stop().await;
}

#[tokio::test]
async fn arguments_that_break_the_contract_end_as_dead_letters_that_say_why() {
    let office = Office::open().await;
    let good = order_placed("buyer@example.com");
    for (args, says) in [
        (with(good.clone(), "/template", &json!("order_eaten")), "order_eaten"),
        (with(good.clone(), "/order", &json!({})), "missing field `id`"),
        (with(good.clone(), "/to", &json!("nobody")), "the address is not valid"),
        (with(good.clone(), "/to", &json!("a@b.example\r\nBcc: c@d.example")), "the address is not valid"),
        (json!({"template": "order_placed"}), "missing field"),
    ] {
        let id = office.email(&args).await;
        let (attempt, error) = office.until_state(id, "dead").await;
        assert!(error.as_ref().is_some_and(|error| error.contains(says)), "{error:?} does not say {says}");
        assert!(attempt == 1 && !office.path(id).exists());
    }
    office.stop().await;
}

#[tokio::test]
async fn a_repeat_after_a_crash_writes_the_same_bytes_to_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let emails = Emails::new(&mail_args(&format!("file://{}/sub", folder.path().display()))).unwrap();
    let email: Email = serde_json::from_value(order_placed("buyer@example.com")).unwrap();
    let context = JobContext {
        id: Uuid::now_v7(),
        company_id: None,
        attempt: 1,
        max_attempts: 4,
        enqueued_at: "2026-01-05T10:07:00Z".parse().unwrap(),
        stopping: CancellationToken::new(),
    };
    let path = folder.path().join(format!("sub/{}.eml", context.id));
    assert_eq!(emails.run(email.clone(), &context).await, Outcome::Done);
    let first = std::fs::read(&path).unwrap();
    let again = JobContext { attempt: 2, ..context };
    assert_eq!(emails.run(email, &again).await, Outcome::Done);
    assert_eq!(std::fs::read(&path).unwrap(), first);
    assert_eq!(std::fs::read_dir(folder.path().join("sub")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_message_goes_to_the_mail_server_with_its_envelope() {
    let server = MailServer::start().await;
    let office = Office::sending(mail_args(&server.url())).await;
    let ids = [
        office.email(&order_placed("one@example.com")).await,
        office.email(&order_placed("two@example.com")).await,
    ];
    for id in ids {
        office.until_state(id, "done").await;
        let mail = server
            .received()
            .into_iter()
            .find(|received| Mail::read(&received.bytes).header("Message-ID") == format!("<{id}@sipup.test>"))
            .unwrap();
        let to = Mail::read(&mail.bytes).header("To");
        assert!(
            mail.from.contains("<no-reply@sipup.test>") && mail.to.contains(&format!("<{to}>")),
            "{mail:?}"
        );
    }
    assert_eq!(server.received().len(), 2);
    office.stop().await;
}

#[tokio::test]
async fn a_message_that_is_put_off_goes_out_with_the_next_attempt() {
    let server = MailServer::start().await;
    let office = Office::sending(mail_args(&server.url())).await;
    let id = office.email(&order_placed("busy@example.com")).await;
    let (attempt, error) = office.until_state(id, "scheduled").await;
    assert_eq!((attempt, error.as_deref()), (1, Some("the mail server put the message off (421)")));
    office.make_due().await;
    assert_eq!(office.until_state(id, "done").await.0, 2);
    assert_eq!(server.received().len(), 1);
    office.stop().await;
}

#[tokio::test]
async fn a_message_that_is_refused_is_dead_and_tells_nothing_of_the_server() {
    let server = MailServer::start().await;
    let office = Office::sending(mail_args(&server.url())).await;
    let id = office.email(&order_placed("gone@example.com")).await;
    let (attempt, error) = office.until_state(id, "dead").await;
    assert_eq!((attempt, error.as_deref()), (1, Some("the mail server refused the message (550)")));
    office.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_is_away_or_silent_is_tried_again() {
    let server = MailServer::start().await;
    let silent = MailArgs { smtp_timeout: Duration::from_millis(200), ..mail_args(&server.url()) };
    let away = mail_args("smtp://127.0.0.1:1");
    for (mail, says) in
        [(silent, "the mail server did not answer in time"), (away, "the mail server could not be reached")]
    {
        let office = Office::sending(mail).await;
        let id = office.email(&order_placed("silence@example.com")).await;
        let (attempt, error) = office.until_state(id, "scheduled").await;
        assert_eq!((attempt, error.as_deref()), (1, Some(says)));
        office.stop().await;
    }
}
