//! What an account's backend said of its chats last, and what was made of it: what has not changed is not made again.

use std::{collections::HashMap, sync::Arc};

use crate::backend::Chat;

/// Each chat as it came and as it is shown, by the address of the first, which lives as long as it is here.
#[derive(Debug, Clone, Default)]
pub struct Taken(HashMap<usize, (Arc<Chat>, Arc<Chat>)>);

impl Taken {
    /// The whole list anew; `clean` makes what is shown of those that changed.
    pub fn take(&mut self, chats: Vec<Arc<Chat>>, clean: impl Fn(&Chat) -> Chat) -> Vec<Arc<Chat>> {
        let mut before = std::mem::take(&mut self.0);
        let mut take = |chat: Arc<Chat>| {
            let address = Arc::as_ptr(&chat).addr();
            let known = before.remove(&address).map(|(_, shown)| shown);
            let shown = known.unwrap_or_else(|| Arc::new(clean(&chat)));
            self.0.insert(address, (chat, shown.clone()));
            shown
        };
        chats.into_iter().map(&mut take).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Taken;
    use crate::backend::Chat;

    #[test]
    fn only_what_changed_is_made_again() {
        let chat = |name: &str| Arc::new(Chat { name: name.to_owned(), ..Chat::default() });
        let shout = |chat: &Chat| Chat { name: chat.name.to_uppercase(), ..chat.clone() };
        let (tea, coffee) = (chat("tea"), chat("coffee"));
        let mut taken = Taken::default();
        let first = taken.take(vec![tea.clone(), coffee], shout);
        let second = taken.take(vec![chat("cocoa"), tea], shout);
        let names: Vec<&str> = second.iter().map(|chat| chat.name.as_str()).collect();
        assert_eq!(names, ["COCOA", "TEA"]);
        assert!(Arc::ptr_eq(&first[0], &second[1]));
        assert_eq!(taken.0.len(), 2, "what is no longer there is forgotten");
    }
}
