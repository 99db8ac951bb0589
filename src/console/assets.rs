//! The console's own files, part of the program. Their addresses carry a digest, so browsers keep them for ever.

use super::{
    Console,
    fault::Fault,
    headers::FOREVER,
    routes::{Need, Route, get},
    visit::Visit,
};
use crate::domain::hex;
use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use ring::digest;
use std::sync::LazyLock;

/// Hexadecimal digits of the digest in a name.
const DIGITS: usize = 16;

/// A file that pages refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asset {
    Style,
    Script,
    Passkey,
    Viewer,
    Mark,
}

impl Asset {
    const ALL: [Asset; 5] = [
        Asset::Style,
        Asset::Script,
        Asset::Passkey,
        Asset::Viewer,
        Asset::Mark,
    ];

    fn file(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Asset::Style => (
                "console",
                "css",
                "text/css; charset=utf-8",
                include_str!("assets/console.css"),
            ),
            Asset::Script => (
                "console",
                "js",
                "text/javascript; charset=utf-8",
                include_str!("assets/console.js"),
            ),
            Asset::Passkey => (
                "passkey",
                "js",
                "text/javascript; charset=utf-8",
                include_str!("assets/passkey.js"),
            ),
            Asset::Viewer => (
                "viewer",
                "js",
                "text/javascript; charset=utf-8",
                include_str!("assets/viewer.js"),
            ),
            Asset::Mark => ("mark", "svg", "image/svg+xml", include_str!("assets/mark.svg")),
        }
    }

    /// Its address.
    pub(super) fn address(self) -> &'static str {
        ADDRESSES
            .iter()
            .find(|(asset, _)| *asset == self)
            .map_or("", |(_, address)| address)
    }
}

static ADDRESSES: LazyLock<Vec<(Asset, String)>> = LazyLock::new(|| {
    let named = |asset: Asset| {
        let (name, extension, _, text) = asset.file();
        let digest = hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
        (asset, format!("/assets/{name}-{}.{extension}", &digest[..DIGITS]))
    };
    Asset::ALL.into_iter().map(named).collect()
});

pub(super) fn routes() -> Vec<Route> {
    vec![get("/assets/{file}", Need::Public, serve)]
}

fn serve(_: &Console, visit: &Visit) -> Result<Response, Fault> {
    let asked = Asset::ALL.into_iter().find(|asset| asset.address() == visit.path);
    let (_, _, content_type, text) = asked.ok_or(Fault::NotFound)?.file();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (header::CACHE_CONTROL, FOREVER),
    ];
    Ok((headers, text).into_response())
}
