//! Making a telephone read its settings again: NOTIFY with `Event: check-sync`, which some ask credentials for.

use crate::base::Now;
use crate::base::id::ExtensionId;
use crate::gateway::Gateway;
use crate::gateway::requests::Asker;
use crate::sip::auth::Prover;
use crate::sip::endpoint::{Attempt, Headers, OutboundRequest, Unanswered};
use crate::sip::registrar::Contact;
use crate::wire::sip::{Method, Name, NameAddr, Response, Text};

impl Gateway {
    /// Asks every telephone of an extension to read its settings again; how many were asked.
    pub(super) fn check_sync(&mut self, extension: ExtensionId, now: Now) -> usize {
        let telephones = self.telephones(extension);
        for contact in &telephones {
            self.send_check_sync(extension, contact, None, now);
        }
        telephones.len()
    }

    /// A telephone answered. One that asks for credentials gets its own account's, once.
    pub(super) fn on_check_sync(
        &mut self,
        extension: ExtensionId,
        again: bool,
        result: Result<&Response, Unanswered>,
        now: Now,
    ) {
        let Ok(response) = result else { return };
        let asked = matches!(response.status.code(), 401 | 407);
        let to = response.headers.to();
        if let (true, false, Some(to)) = (asked, again, to)
            && let Some(contact) = self.telephones(extension).into_iter().find(|contact| contact.uri == to.uri)
        {
            self.send_check_sync(extension, &contact, Some(response), now);
        }
    }

    fn send_check_sync(&mut self, extension: ExtensionId, contact: &Contact, asked: Option<&Response>, now: Now) {
        let Some(account) = self.table.extensions.get(&extension) else { return };
        let Some(from) = self.endpoint.contact_as(&contact.target, &account.user) else { return };
        let mut headers: Headers = vec![
            (Name::Event, Text::from_static("check-sync")),
            (Name::SubscriptionState, Text::from_static("terminated;reason=noresource")),
        ];
        if let Some(response) = asked {
            let mut prover = Prover::new(account.user.clone(), account.password.clone());
            if !prover.take(response) {
                return;
            }
            headers.extend(prover.headers(&Method::Notify, &contact.uri, &mut self.rng));
        }
        let request = OutboundRequest {
            method: Method::Notify,
            uri: contact.uri.clone(),
            from: NameAddr::new(from.uri.without_param("transport")),
            to: NameAddr::new(contact.uri.clone()),
            target: contact.target,
            routes: contact.routes.clone(),
            headers,
            body: None,
            again: asked.and_then(Attempt::of),
        };
        let sent = self.endpoint.request(request, now);
        self.askers.insert(sent, Asker::Telephone { extension, again: asked.is_some() });
    }
}
