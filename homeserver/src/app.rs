//! `App`: the tools every floor may use. No domain methods, so it cannot become a registry.

use std::{ops::Deref, sync::Arc};

use ruma::{OwnedServerName, ServerName};

use crate::{bell::Bell, clock::Clock, config::Config, storage::Database};

/// The tools. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Tools>);

/// What `App` holds.
#[derive(Debug)]
pub struct Tools {
    pub config: Config,
    pub server_name: OwnedServerName,
    pub db: Database,
    pub clock: Clock,
    pub bell: Bell,
}

impl App {
    pub fn new(tools: Tools) -> Self {
        Self(Arc::new(tools))
    }

    /// Whether a user or server name is this server's own.
    pub fn is_ours(&self, server_name: &ServerName) -> bool {
        server_name == self.server_name
    }
}

impl Deref for App {
    type Target = Tools;

    fn deref(&self) -> &Tools {
        &self.0
    }
}
