//! Dialogs that are no calls: a subscription's is kept by the user, who answers and sends its requests by these.

use bytes::Bytes;

use super::clients::User;
use super::{Endpoint, Headers, TransactionId};
use crate::base::Now;
use crate::sip::compose::Parts;
use crate::sip::dialog::Dialog;
use crate::sip::reply::Answer;
use crate::sip::transport::Target;
use crate::wire::sip::{Method, NameAddr, Request, Status, Text};

impl Endpoint {
    /// Answers a request that makes or refreshes a dialog of the user's own (SUBSCRIBE): with this tag, our Contact and
    /// the Record-Routes (RFC 3261 §12.1.1). The request is forgotten as by [`Endpoint::respond`].
    pub fn respond_in_dialog(&mut self, id: TransactionId, status: Status, tag: &str, headers: &Headers) {
        let Some(server) = self.servers.get(&id) else { return };
        let contact = self.contact(&server.reply.target, false, None);
        let answer = Answer { dialog: true, contact: &contact, headers, ..Answer::plain(status, tag) };
        self.answer_once_as(id, answer);
    }

    /// The dialog that a request of theirs begins, as its server sees it (RFC 3261 §12.1.1), under a fresh tag of ours.
    /// None where the request names nobody to answer to.
    pub fn dialog_by(&mut self, request: &Request, hop: Target) -> Option<Dialog> {
        let headers = &request.headers;
        let (from, to) = (headers.from()?, headers.to()?);
        let local_tag = self.tag();
        Some(Dialog {
            call_id: Text::from(headers.call_id()?),
            remote_tag: Text::from(from.tag().unwrap_or_default()),
            local: to.with_tag(&local_tag),
            local_tag,
            remote: from,
            local_seq: 0,
            remote_seq: Some(headers.cseq()?.seq),
            remote_target: headers.contact()?.uri,
            route_set: headers.record_routes().ok()?,
            secure: request.uri.is_sips(),
            outbound: false,
            hop,
        })
    }

    /// Sends a request in a dialog of the user's own, by its hop; [`super::Event::Response`] follows.
    pub fn request_in(
        &mut self,
        dialog: &mut Dialog,
        method: Method,
        headers: &Headers,
        body: Option<(&str, &Bytes)>,
        now: Now,
    ) -> TransactionId {
        dialog.next_seq();
        let path = dialog.path();
        let target = dialog.hop;
        let contact = self.contact(&target, dialog.secure, None);
        let agent = self.settings.user_agent.clone();
        let parts = Parts {
            contact: &contact,
            user_agent: &agent,
            headers,
            body: body.map(|(kind, body)| (kind, &body[..])),
            ..dialog.parts(method.as_str(), &path)
        };
        self.begin_client(method.clone(), parts, target, User::Reported(None, None), now)
    }

    /// Our Contact for peers at `target`, under a user of ours: what a REGISTER of ours binds. None where nothing is
    /// advertised for the transport.
    pub fn contact_as(&self, target: &Target, user: &str) -> Option<NameAddr> {
        NameAddr::parse(&self.contact(target, false, Some(user))).ok()
    }
}
