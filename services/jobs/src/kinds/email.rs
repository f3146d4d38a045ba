//! Kind `email`: writes a message from a template and hands it to the mail server.
//!
//! The arguments are a JSON contract that SQL functions of other services rely on; the README of this crate has it in full.

mod address;
mod message;
mod order_placed;
mod transport;

use std::time::Duration;

use lettre::message::Mailbox;
use platform::args::duration;
use queue::{Handler, Job, JobContext, Outcome};
use serde::{Deserialize, Serialize};

use self::transport::{Failure, Transport};
pub use self::{
    order_placed::{OrderLine, OrderPlaced},
    transport::MailUrl,
};

/// How mail is sent.
#[derive(clap::Args, Clone, Debug)]
pub struct MailArgs {
    /// `smtp://user:password@host:port?tls=required`, `smtps://…`, or `file:///folder`, which writes `<job id>.eml` there. Without
    /// `tls`, `smtp` sends everything in the clear.
    #[arg(long, env = "SIPUP_SMTP_URL", hide_env_values = true)]
    pub smtp_url: MailUrl,

    /// Who the mail comes from.
    #[arg(long, env = "SIPUP_MAIL_FROM", default_value = "sipup <no-reply@sipup.local>")]
    pub mail_from: Mailbox,

    /// How long the mail server may take to accept a message, connecting included.
    #[arg(long, env = "SIPUP_SMTP_TIMEOUT", default_value = "30s", value_parser = duration)]
    pub smtp_timeout: Duration,
}

/// An e-mail to be sent.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Email {
    /// The address.
    pub to: String,
    /// What the reader is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What to write.
    #[serde(flatten)]
    pub template: Template,
}

/// What an e-mail says.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "template", rename_all = "snake_case")]
pub enum Template {
    /// An order was placed.
    OrderPlaced {
        /// The order.
        order: OrderPlaced,
    },
}

impl Job for Email {
    const KIND: &'static str = "email";
    const QUEUE: &'static str = "email";
    /// With the usual backoff some 17 minutes: mail servers that are restarted, or ask for patience (greylisting), get their time.
    const MAX_ATTEMPTS: i16 = 10;
}

/// Sends e-mails.
#[derive(Debug)]
pub struct Emails {
    transport: Transport,
    from: Mailbox,
}

impl Emails {
    /// Sends as `args` say.
    ///
    /// # Errors
    ///
    /// The URL can't be used.
    pub fn new(args: &MailArgs) -> anyhow::Result<Self> {
        Ok(Self {
            transport: Transport::new(&args.smtp_url, args.smtp_timeout)?,
            from: args.mail_from.clone(),
        })
    }
}

impl Handler<Email> for Emails {
    async fn run(&self, email: Email, context: &JobContext) -> Outcome {
        let Some(to) = address::mailbox(&email.to, email.name.as_deref()) else {
            return Outcome::Cancel("the address is not valid".to_owned());
        };
        let says = match &email.template {
            Template::OrderPlaced { order } => order_placed::content(order),
        };
        let message = match message::build(&self.from, to, says, context) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, "a message can't be built");
                return Outcome::Cancel("the message can't be built".to_owned());
            }
        };
        match self.transport.send(context.id, &message).await {
            Ok(()) => Outcome::Done,
            Err(Failure::Passing(why)) => Outcome::Retry(why),
            Err(Failure::Final(why)) => Outcome::Cancel(why),
        }
    }
}
