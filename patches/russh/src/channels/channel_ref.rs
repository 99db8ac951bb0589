use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use super::WindowSizeRef;
use crate::ChannelMsg;

/// A handle to the [`super::Channel`]'s to be able to transmit messages
/// to it and update it's `window_size`.
#[derive(Debug)]
pub struct ChannelRef {
    pub(super) sender: Sender<ChannelMsg>,
    pub(super) window_size: WindowSizeRef,
}

impl ChannelRef {
    pub fn new(sender: Sender<ChannelMsg>) -> Self {
        Self {
            sender,
            window_size: WindowSizeRef::new(0),
        }
    }

    pub(crate) fn window_size(&self) -> &WindowSizeRef {
        &self.window_size
    }

    /// Hands received data to the [`super::Channel`]. It is copied only if there is one to read it.
    pub(crate) async fn receive(&self, ext: Option<u32>, data: &[u8]) {
        if self.sender.is_closed() {
            return;
        }
        let data = Bytes::copy_from_slice(data);
        let msg = match ext {
            None => ChannelMsg::Data { data },
            Some(ext) => ChannelMsg::ExtendedData { ext, data },
        };
        // An error means that the channel was dropped meanwhile.
        let _ = self.sender.send(msg).await;
    }
}

impl std::ops::Deref for ChannelRef {
    type Target = Sender<ChannelMsg>;

    fn deref(&self) -> &Self::Target {
        &self.sender
    }
}
