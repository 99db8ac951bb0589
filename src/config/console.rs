//! The console's section: where it listens, what it is called, by which certificate, how long a session lasts.

use serde::{Deserialize, Serialize};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// The web console. Without this section there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsoleConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address that browsers use, for instance `https://vault.example:8443`. Passkeys belong to its host, and only pages
    /// from it may change anything. `https://localhost` with the port when absent, which only a loopback address may leave out.
    #[serde(default)]
    pub origin: Option<WebOrigin>,
    /// Certificate chain (PEM), the server's own first. Without it the vault makes one for the origin's host.
    #[serde(default)]
    pub tls_certificate: Option<PathBuf>,
    /// Private key of the certificate (PEM).
    #[serde(default)]
    pub tls_key: Option<PathBuf>,
    /// Minutes without a request after which a session ends.
    #[serde(default = "ConsoleConfig::default_session_idle_minutes")]
    pub session_idle_minutes: u32,
    /// Hours after which a session ends in any case.
    #[serde(default = "ConsoleConfig::default_session_hours")]
    pub session_hours: u32,
}

impl ConsoleConfig {
    fn default_session_idle_minutes() -> u32 {
        30
    }

    fn default_session_hours() -> u32 {
        12
    }

    /// Why these values can't be used together, if they can't.
    pub(super) fn fault(&self) -> Option<String> {
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Some(
                "console.tls_certificate and console.tls_key go together; leave both out for a self-made certificate"
                    .to_owned(),
            );
        }
        if self.origin.is_none() && !self.listen.ip().is_loopback() {
            return Some(
                "console.origin is missing: say the address that browsers use, for instance \"https://vault.example:8443\""
                    .to_owned(),
            );
        }
        if self.session_idle_minutes == 0 || self.session_hours == 0 {
            return Some(
                "console.session_idle_minutes and console.session_hours must be at least 1".to_owned(),
            );
        }
        if self.session_hours > 24 * 7 {
            return Some("console.session_hours is at most 168 (a week)".to_owned());
        }
        None
    }

    /// What browsers call the console, once the port it got is known.
    pub fn origin(&self, port: u16) -> WebOrigin {
        self.origin.clone().unwrap_or_else(|| WebOrigin {
            host: "localhost".to_owned(),
            port,
        })
    }
}

/// An `https` origin (RFC 6454): a host and a port, nothing after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    host: String,
    port: u16,
}

impl WebOrigin {
    /// Host name or address, in lower case; an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Port, 443 where the origin names none.
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Why a text isn't an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is https://HOST or https://HOST:PORT, in lower case and with nothing after it")]
pub struct OriginError;

impl FromStr for WebOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let rest = text.strip_prefix("https://").ok_or(OriginError)?;
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, after)) => {
                let address: IpAddr = address.parse().map_err(|_| OriginError)?;
                (
                    address.to_string(),
                    after.strip_prefix(':').or(after.is_empty().then_some("443")),
                )
            }
            None => match rest.split_once(':') {
                Some((host, port)) => (host.to_owned(), Some(port)),
                None => (rest.to_owned(), Some("443")),
            },
        };
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'-');
        let is_host = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name);
        if !is_host && host.parse::<IpAddr>().is_err() {
            return Err(OriginError);
        }
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
        port.map(|port| WebOrigin { host, port }).ok_or(OriginError)
    }
}

/// As browsers write it in `Origin`: without the port where it is 443.
impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') {
            ("[", "]")
        } else {
            ("", "")
        };
        write!(f, "https://{open}{}{close}", self.host)?;
        if self.port == 443 {
            return Ok(());
        }
        write!(f, ":{}", self.port)
    }
}

impl Serialize for WebOrigin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WebOrigin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_and_written_as_browsers_do() {
        for (text, host, port) in [
            ("https://vault.example:8443", "vault.example", 8443),
            ("https://vault.example", "vault.example", 443),
            ("https://127.0.0.1:9", "127.0.0.1", 9),
            ("https://[::1]:8443", "::1", 8443),
            ("https://[::1]", "::1", 443),
        ] {
            let origin: WebOrigin = text.parse().unwrap();
            assert_eq!((origin.host(), origin.port()), (host, port), "{text}");
            assert_eq!(origin.to_string(), text);
        }
        let spelled: WebOrigin = "https://vault.example:443".parse().unwrap();
        assert_eq!(spelled.to_string(), "https://vault.example");
        for text in [
            "http://vault.example",
            "https://",
            "https://Vault.example",
            "https://vault.example/",
            "https://vault.example:0",
            "https://vault.example:70000",
            "https://vault.example:8443/console",
            "https://user@vault.example",
            "https://[::1",
            "https://[vault]:1",
            "https://[::1]8443",
            "vault.example",
        ] {
            assert_eq!(text.parse::<WebOrigin>(), Err(OriginError), "{text}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let console = |text: &str| toml::from_str::<ConsoleConfig>(text).unwrap();
        let local = "listen = \"127.0.0.1:8443\"\n";
        assert_eq!(console(local).fault(), None);
        assert_eq!(console(local).origin(8443).to_string(), "https://localhost:8443");
        for wrong in [
            "listen = \"0.0.0.0:8443\"".to_owned(),
            format!("{local}tls_key = \"key.pem\""),
            format!("{local}session_hours = 0"),
            format!("{local}session_idle_minutes = 0"),
            format!("{local}session_hours = 169"),
        ] {
            assert!(console(&wrong).fault().is_some(), "{wrong}");
        }
        assert!(toml::from_str::<ConsoleConfig>(&format!("{local}port = 1")).is_err());
    }
}
