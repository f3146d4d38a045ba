//! A report is compared with itself and with what its user knows.

use super::*;
use crate::{call::Transport, identity::somebody};

const HEAD: &str = "order_id,company_id,sku,quantity,unit_price,line_total";
const ORDER: Uuid = Uuid::from_u128(1);

/// Somebody who placed [`ORDER`] at 5.00 and asked for a report.
fn user() -> User {
    let mut user = User::new(0, Transport::Grpc, somebody("u", "c"));
    let orders = vec![Known { id: ORDER, total: 500, created: 7 }];
    let (from, to) = (Timestamp::UNIX_EPOCH, Timestamp::MAX);
    let wish = ReportWish { key: Uuid::nil(), from, to, orders };
    asked(&mut user, &wish, &report(ReportState::Waiting, "")).unwrap();
    user
}

fn report(state: ReportState, file: &str) -> Report {
    let hash = digest::digest(&digest::SHA256, file.as_bytes());
    Report {
        id: "r".into(),
        company: "c".into(),
        state,
        rows: i64::try_from(file.lines().count().saturating_sub(1)).unwrap(),
        bytes: i64::try_from(file.len()).unwrap(),
        sha256: hash.as_ref().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}")),
        ..Report::default()
    }
}

fn code(checked: Checked) -> String {
    checked.map_or_else(|failure| failure.code.into_owned(), |()| "right".into())
}

/// What becomes of `file` if its report says `ready` of it.
fn fetch(ready: &Report, file: &str) -> String {
    let mut user = user();
    looked_at(&mut user, "r", ready).unwrap();
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, file.as_bytes()));
    let file = File { data: Bytes::from(file.to_owned()), digest: format!("sha-256=:{hash}:") };
    code(fetched(&mut user, &file))
}

fn file(lines: &[(Uuid, &str, &str)]) -> String {
    lines.iter().fold(format!("{HEAD}\r\n"), |file, (order, company, total)| {
        format!("{file}{order},{company},\"A \"\"1\"\", b\",1,{total},{total}\r\n")
    })
}

#[test]
fn a_file_is_what_its_report_says_and_holds_what_the_user_ordered() {
    let right = file(&[(ORDER, "c", "3.00"), (Uuid::from_u128(2), "c", "9"), (ORDER, "c", "2.00")]);
    let ready = report(ReportState::Ready, &right);
    assert_eq!(fetch(&ready, &right), "right");
    for wrong in [
        Report { rows: 2, ..ready.clone() },
        Report { bytes: 1, ..ready.clone() },
        Report { sha256: "0".repeat(64), ..ready.clone() },
    ] {
        assert_eq!(fetch(&wrong, &right), "REPORT", "{wrong:?}");
    }
    for (wrong, expected) in [
        (file(&[(Uuid::from_u128(2), "c", "5.00")]), "REPORT"),
        (file(&[(ORDER, "c", "4.99")]), "REPORT"),
        (file(&[(ORDER, "c", "5.00"), (Uuid::from_u128(2), "d", "1")]), "FOREIGN"),
        (file(&[(ORDER, "c", "many")]), "REPORT"),
        (file(&[(ORDER, "c", "5.00")]).replace(",1,", ",2,"), "REPORT"),
        (format!("{HEAD}\r\n{ORDER},c\r\n"), "REPORT"),
        (String::new(), "REPORT"),
        (file(&[(ORDER, "c", "5.00")]).replace("company_id", "firm"), "REPORT"),
    ] {
        assert_eq!(fetch(&report(ReportState::Ready, &wrong), &wrong), expected, "{wrong}");
    }
}

#[test]
fn a_file_whose_header_names_another_digest_is_not_the_reports() {
    let (mut user, text) = (user(), file(&[(ORDER, "c", "5.00")]));
    looked_at(&mut user, "r", &report(ReportState::Ready, &text)).unwrap();
    let file = File { data: Bytes::from(text), digest: "sha-256=:AAAA:".into() };
    assert_eq!(code(fetched(&mut user, &file)), "REPORT");
}

#[test]
fn a_report_is_the_companys_own_and_one_that_is_not_made_is_waited_for_no_longer() {
    let mut user = user();
    let mut look = |report: Report| code(looked_at(&mut user, "r", &report));
    assert_eq!(look(report(ReportState::Running, "")), "right");
    assert_eq!(look(Report { company: "d".into(), ..report(ReportState::Running, "") }), "FOREIGN");
    assert_eq!(look(Report { id: "s".into(), ..report(ReportState::Running, "") }), "REPORT");
    assert_eq!(look(report(ReportState::Failed, "")), NOT_MADE);
    assert!(user.report.is_none());
}

#[test]
fn a_report_that_is_never_ready_is_not_made() {
    let mut user = user();
    let asked = user.report.as_mut().unwrap();
    asked.at = asked.at.checked_sub(PATIENCE + Duration::from_secs(1)).unwrap();
    assert_eq!(code(looked_at(&mut user, "r", &report(ReportState::Waiting, ""))), NOT_MADE);
    assert!(user.report.is_none());
}

#[test]
fn a_list_of_reports_is_the_companys_own_and_sorted() {
    let at = |created| Report { created, ..report(ReportState::Ready, "") };
    let list = |reports: &[Report]| code(listed(&user(), reports));
    assert_eq!(list(&[at(2), at(1)]), "right");
    assert_eq!(list(&[at(1), at(2)]), "ORDER_OF_LIST");
    assert_eq!(list(&[Report { company: "d".into(), ..at(1) }]), "FOREIGN");
}
