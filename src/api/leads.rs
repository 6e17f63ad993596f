//! Where numbers and rules lead: what points nowhere is refused, what is still led to stays.

use super::problem::FieldError;
use super::rooms::odd;
use super::{App, Problem};
use crate::base::id::RuleId;
use crate::gateway::command::{Command, Reply};
use crate::route::{Destination, Rule, When};
use crate::store::StoreError;
use crate::store::error::Constraint;
use crate::store::leads_to::End;

/// Refuses a rule that points nowhere, or asks for what cannot be.
pub(super) async fn check_rule(app: &App, rule: &Rule) -> Result<(), Problem> {
    let wrong = problems(app, rule.clone()).await?;
    if wrong.is_empty() { Ok(()) } else { Err(Problem::fields(wrong)) }
}

/// Refuses a destination that points nowhere; `pointer` is where it stands in the body.
pub(super) async fn check_destination(app: &App, to: &Destination, pointer: &str) -> Result<(), Problem> {
    let then = to.clone();
    let blank =
        Rule { id: RuleId::from_bits(0), position: 1, name: String::new(), enabled: true, when: When::default(), then };
    let mut wrong = problems(app, blank).await?;
    for field in &mut wrong {
        if let Some(below) = field.pointer.strip_prefix("/then") {
            field.pointer = format!("{pointer}{below}");
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Problem::fields(wrong)) }
}

async fn problems(app: &App, rule: Rule) -> Result<Vec<FieldError>, Problem> {
    match app.ask(Command::CheckRule(Box::new(rule))).await? {
        Reply::Problems(problems) => Ok(problems
            .into_iter()
            .map(|problem| FieldError { pointer: problem.pointer, detail: problem.why })
            .collect()),
        _ => Err(odd()),
    }
}

/// A webhook that is sent without its secret keeps the one it has, as long as it is the same webhook.
pub(super) fn keep_secret(to: &mut Destination, before: &Destination) {
    if let (
        Destination::Webhook { url, secret: secret @ None, .. },
        Destination::Webhook { url: same, secret: kept, .. },
    ) = (to, before)
        && url == same
    {
        secret.clone_from(kept);
    }
}

/// Says what still leads to what was to be taken away.
pub(super) async fn used(app: &App, end: End, error: StoreError, what: &str) -> Problem {
    if !matches!(error, StoreError::Constraint(Constraint::StillUsed)) {
        return Problem::of(error, what);
    }
    let mut by = app.handle.store().used_by(end).await.unwrap_or_default();
    let more = by.len().saturating_sub(5);
    by.truncate(5);
    if more > 0 {
        by.push(format!("{more} more"));
    }
    let verb = if by.len() == 1 { "names" } else { "name" };
    match by.split_last() {
        None => Problem::of(error, what),
        Some((only, [])) => Problem::conflict(format!("{only} still {verb} this {what}: change or delete it first")),
        Some((last, rest)) => {
            let list = format!("{} and {last}", rest.join(", "));
            Problem::conflict(format!("{list} still {verb} this {what}: change or delete them first"))
        }
    }
}
