//! A mail server that does what the address of the recipient says.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream},
    net::{TcpListener, TcpStream},
};
use tokio_util::task::AbortOnDropHandle;

/// A running server. `busy@…` is put off by 421 the first time, `gone@…` is refused by 550, the server never says a word after
/// `silence@…`; all others are welcome.
#[derive(Debug)]
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    inbox: Inbox,
    _task: AbortOnDropHandle<()>,
}

/// A message as it came: envelope and bytes.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
struct Inbox {
    received: Arc<Mutex<Vec<Received>>>,
    put_off: Arc<Mutex<bool>>,
}

impl MailServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inbox = Inbox::default();
        let serving = inbox.clone();
        #[expect(clippy::disallowed_methods, reason = "ends with the server")]
        let task = tokio::spawn(async move {
            let mut talks = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let inbox = serving.clone();
                // A client that hangs up ends its own talk only.
                talks.spawn(async move { drop(inbox.talk(BufStream::new(stream)).await) });
            }
        });
        Self { address, inbox, _task: AbortOnDropHandle::new(task) }
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inbox.received.lock().unwrap().clone()
    }
}

impl Inbox {
    async fn talk(&self, mut stream: BufStream<TcpStream>) -> std::io::Result<()> {
        say(&mut stream, "220 mail.test ready").await?;
        let (mut from, mut to) = (String::new(), String::new());
        loop {
            let line = hear(&mut stream).await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match &*verb {
                "" => return Ok(()),
                "EHLO" => "250-mail.test\r\n250 8BITMIME",
                "MAIL" => {
                    from = line;
                    "250 ok"
                }
                "RCPT" if line.contains("<silence@") => std::future::pending().await,
                "RCPT" if line.contains("<gone@") => "550 no such mailbox at /var/mail/secret",
                "RCPT"
                    if line.contains("<busy@")
                        && !std::mem::replace(&mut *self.put_off.lock().unwrap(), true) =>
                {
                    say(&mut stream, "421 closing, come again").await?;
                    return Ok(());
                }
                "RCPT" => {
                    to = line;
                    "250 ok"
                }
                "DATA" => {
                    say(&mut stream, "354 go on").await?;
                    let bytes = hear_message(&mut stream).await?;
                    self.received.lock().unwrap().push(Received {
                        from: from.clone(),
                        to: to.clone(),
                        bytes,
                    });
                    "250 taken"
                }
                _ => "250 ok",
            };
            say(&mut stream, answer).await?;
        }
    }
}

async fn say(stream: &mut BufStream<TcpStream>, answer: &str) -> std::io::Result<()> {
    stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn hear(stream: &mut BufStream<TcpStream>) -> std::io::Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

async fn hear_message(stream: &mut BufStream<TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await?;
        if line.is_empty() || line == b".\r\n" {
            return Ok(message);
        }
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
