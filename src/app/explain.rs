//! `ringlift explain`: what would be done with an INVITE, from the database, whether the node runs or not.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::app::Failure;
use crate::config::Config;
use crate::engine::clock;
use crate::gateway;
use crate::gateway::command::ExplainRequest;
use crate::store::Store;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// A file with an INVITE; `-` is standard input.
    pub file: Option<PathBuf>,
    /// The number dialled, or the request URI.
    pub to: Option<String>,
    /// Who rings.
    pub from: Option<String>,
    /// Where it comes from.
    pub source: IpAddr,
}

/// Answers in words.
#[allow(clippy::disallowed_methods, reason = "reads the file that the command line names")]
pub async fn explain(config: &Config, question: Question) -> Result<String, Failure> {
    let invite = match &question.file {
        Some(path) if path.as_os_str() == "-" => Some(std::io::read_to_string(std::io::stdin()).map_err(Failure::one)?),
        Some(path) => Some(
            std::fs::read_to_string(path)
                .map_err(|error| Failure::one(format!("cannot read {}: {error}", path.display())))?,
        ),
        None => None,
    };
    let store = Store::open_to_read(&config.store.path).await.map_err(Failure::one)?;
    let mut table = store.table().await.map_err(Failure::one)?;
    table.home = config.routing.home();
    store.close().await;
    let request = ExplainRequest {
        invite,
        to: question.to,
        from: question.from,
        party: None,
        api: false,
        at: None,
        source: question.source,
    };
    let found =
        gateway::explain(&table, &config.operator_limits.limits(), &request, clock::utc()).map_err(Failure::one)?;
    let mut text = format!("{}\n", found.summary);
    for step in &found.steps {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {} {}: {}", if step.matched { "+" } else { "-" }, step.rule, step.why);
    }
    if let Some(called) = &found.called {
        let _ = writeln!(text, "  dialled {called}");
    }
    if let Some(caller) = &found.caller {
        let _ = writeln!(text, "  caller  {caller}");
    }
    Ok(text)
}
