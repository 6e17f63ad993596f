//! What desk phones are told of this node.

use std::sync::Arc;

use super::Failure;
use super::reach::Reach;
use crate::api::phones::Provisioning;
use crate::config::Config;
use crate::provision::Templates;
use crate::sip::transport::Transport;

/// Where phones fetch their settings and register; none where nothing serves them by HTTPS.
pub(super) fn provisioning(config: &Config, reach: &Reach) -> Result<Option<Arc<Provisioning>>, Failure> {
    // Templates are read in any case: a mistake in one is told at start.
    let templates = Templates::load(config.provisioning.templates.as_deref())
        .map_err(|error| Failure(vec![format!("provisioning.templates: {error}")]))?;
    let best = [Transport::Tls, Transport::Tcp, Transport::Udp];
    let Some(here) = best.into_iter().find_map(|transport| reach.advertised.iter().find(|a| a.transport == transport))
    else {
        return Ok(None);
    };
    let url = match (config.provisioning.url.as_str(), config.api.tls_listen.first()) {
        ("", None) => return Ok(None),
        ("", Some(listen)) => {
            let host = crate::sip::transport::HostPort { host: here.address.host.clone(), port: listen.port() };
            format!("https://{host}")
        }
        (url, _) => url.trim_end_matches('/').to_owned(),
    };
    Ok(Some(Arc::new(Provisioning {
        url,
        host: here.address.host.clone(),
        port: here.address.port,
        transport: here.transport,
        verify: config.sip.tls_certificate.is_some() && here.address.host.parse::<std::net::IpAddr>().is_err(),
        templates,
    })))
}
