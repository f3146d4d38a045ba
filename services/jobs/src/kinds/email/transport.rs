//! How messages leave: by SMTP, or into a folder.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor, transport::smtp};
use platform::{Secret, status};
use uuid::Uuid;

type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// Where messages go. It prints without the password.
#[derive(Clone)]
pub struct MailUrl(Kind);

#[derive(Clone)]
enum Kind {
    Folder(PathBuf),
    Smtp(Secret),
}

/// The text is no address of a mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mail URL: it must be smtp://…, smtp://…?tls=required, smtps://… or file:///folder")]
pub struct InvalidMailUrl;

impl FromStr for MailUrl {
    type Err = InvalidMailUrl;

    fn from_str(text: &str) -> Result<Self, InvalidMailUrl> {
        if let Some(path) = text.strip_prefix("file://") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self(Kind::Folder(path))) } else { Err(InvalidMailUrl) };
        }
        Smtp::from_url(text).map_err(|_| InvalidMailUrl)?;
        Ok(Self(Kind::Smtp(Secret::new(text))))
    }
}

impl fmt::Debug for MailUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Folder(path) => write!(f, "file://{}", path.display()),
            Kind::Smtp(url) => {
                let url = url.expose();
                let scheme = url.split_once("://").map_or("smtp", |(scheme, _)| scheme);
                let host =
                    url.rsplit_once('@').or_else(|| url.split_once("://")).map_or("", |(_, host)| host);
                write!(f, "{scheme}://{host}")
            }
        }
    }
}

/// Why a message did not leave, in words for whoever ordered it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Later it may.
    Passing(String),
    /// This message never will.
    Final(String),
}

/// Sends messages.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    Folder(PathBuf),
    Smtp { server: Smtp, timeout: Duration },
}

impl Transport {
    pub(crate) fn new(url: &MailUrl, timeout: Duration) -> anyhow::Result<Self> {
        Ok(match &url.0 {
            Kind::Folder(path) => Self::Folder(path.clone()),
            Kind::Smtp(url) => {
                Self::Smtp { server: Smtp::from_url(url.expose())?.timeout(Some(timeout)).build(), timeout }
            }
        })
    }

    /// Sends `message` for the job `id`.
    pub(crate) async fn send(&self, id: Uuid, message: &Message) -> Result<(), Failure> {
        match self {
            Self::Folder(folder) => write(folder, id, &message.formatted()).await.map_err(|error| {
                tracing::warn!(%error, folder = %folder.display(), "a message was not written");
                Failure::Passing("the mail folder can't be written to".to_owned())
            }),
            // The library's own time-out is for connecting only.
            Self::Smtp { server, timeout } => {
                match tokio::time::timeout(*timeout, server.send(message.clone())).await {
                    Ok(outcome) => outcome.map(drop).map_err(|error| judge(&error)),
                    Err(_) => Err(silent()),
                }
            }
        }
    }
}

/// Writes under a passing name first, so that nobody reads half a message. A repeat replaces the file.
async fn write(folder: &Path, id: Uuid, bytes: &[u8]) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let (draft, path) = (folder.join(format!(".{id}.eml.part")), folder.join(format!("{id}.eml")));
    tokio::fs::write(&draft, bytes).await?;
    tokio::fs::rename(&draft, &path).await
}

/// What a failed conversation means. The server's own words stay in the log: they may tell of its insides.
fn judge(error: &smtp::Error) -> Failure {
    tracing::warn!(error = status::chain(error), "the mail server did not take a message");
    match error.status().map(u16::from) {
        // Wrong or missing credentials are our affair, and not the fault of this message.
        Some(530 | 534 | 535 | 538) => Failure::Passing("the mail server does not let us in".to_owned()),
        Some(code) if error.is_permanent() => {
            Failure::Final(format!("the mail server refused the message ({code})"))
        }
        Some(code) => Failure::Passing(format!("the mail server put the message off ({code})")),
        None if error.is_timeout() => silent(),
        None => Failure::Passing("the mail server could not be reached".to_owned()),
    }
}

fn silent() -> Failure {
    Failure::Passing("the mail server did not answer in time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_prints_without_its_password() {
        for (text, printed) in [
            ("smtp://me:hunter2@mail.example:587?tls=required", "smtp://mail.example:587?tls=required"),
            ("smtps://mail.example", "smtps://mail.example"),
            ("file:///var/mail", "file:///var/mail"),
        ] {
            assert_eq!(format!("{:?}", text.parse::<MailUrl>().unwrap()), printed);
        }
    }

    #[test]
    fn what_is_no_mail_url_is_refused() {
        for text in
            ["", "mail.example", "http://mail.example", "file://relative", "smtp://mail.example?tls=perhaps"]
        {
            assert_eq!(text.parse::<MailUrl>().unwrap_err(), InvalidMailUrl, "{text}");
        }
    }
}
