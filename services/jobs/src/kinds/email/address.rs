//! Where a mail goes, from text that a customer wrote.

use lettre::{Address, message::Mailbox};

/// The mailbox of `address`, with `name` if there is one; none if the address is not valid. What is not printable never gets into a
/// header.
pub(crate) fn mailbox(address: &str, name: Option<&str>) -> Option<Mailbox> {
    let address: Address = address.trim().parse().ok()?;
    let name = name.map(super::message::one_line).filter(|name| !name.is_empty());
    Some(Mailbox::new(name, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_would_add_a_header_or_a_reader_is_refused() {
        for address in [
            "",
            "nobody",
            "a@b.example\r\nBcc: c@d.example",
            "a@b.example, c@d.example",
            "<a@b.example> RCPT TO:<c@d.example>",
            "a\0@b.example",
            "a b@c.example",
        ] {
            assert_eq!(mailbox(address, None), None, "{address:?}");
        }
        assert!(mailbox(" someone@example.com ", None).is_some());
    }

    #[test]
    fn a_name_keeps_its_letters_and_loses_its_line_ends() {
        let mailbox = mailbox("a@b.example", Some("Zoë\r\nBcc: c@d.example")).unwrap();
        assert_eq!(mailbox.name.as_deref(), Some("Zoë Bcc: c@d.example"));
    }
}
