//! What is being written in a chat: the text, and what it replies to or edits.

use super::field::TextField;
use crate::backend::MessageKey;

/// The composer of one chat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composer {
    pub field: TextField,
    pub aim: Aim,
}

/// What sending will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Aim {
    #[default]
    New,
    Reply {
        to: MessageKey,
        name: String,
        line: String,
    },
    Edit {
        message: MessageKey,
        line: String,
        /// What had been typed before editing began.
        kept: TextField,
    },
}

impl Composer {
    /// Drops the reply or edit; `false` when there was none.
    pub fn drop_aim(&mut self) -> bool {
        match std::mem::take(&mut self.aim) {
            Aim::New => false,
            Aim::Reply { .. } => true,
            Aim::Edit { kept, .. } => {
                self.field = kept;
                true
            }
        }
    }

    /// Nothing would be lost by leaving.
    pub fn is_blank(&self) -> bool {
        self.field.is_empty() && self.aim == Aim::New
    }
}
