//! Themes: what each of them makes of the colours that screens are drawn in, which are the dark theme's.
//!
//! The painter asks on the way to the terminal, so no widget knows of themes. An index that a theme does not name becomes the
//! nearest one that can be read on its ground.

use ratatui::style::Color;
use serde::Deserialize;

/// The contrast that text has at least, as WCAG 2 counts it.
const CONTRAST_MIN: f64 = 4.5;

/// The themes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThemeName {
    /// For dark terminals.
    #[default]
    Dark,
    /// For light terminals.
    Light,
    /// For dark terminals, with black grounds and bright text.
    Contrast,
    /// The terminal's own sixteen colours.
    Terminal,
}

impl ThemeName {
    /// The theme after this one.
    pub fn next(self) -> ThemeName {
        match self {
            ThemeName::Dark => ThemeName::Light,
            ThemeName::Light => ThemeName::Contrast,
            ThemeName::Contrast => ThemeName::Terminal,
            ThemeName::Terminal => ThemeName::Dark,
        }
    }

    /// As the config file writes it.
    pub fn name(self) -> &'static str {
        match self {
            ThemeName::Dark => "dark",
            ThemeName::Light => "light",
            ThemeName::Contrast => "contrast",
            ThemeName::Terminal => "terminal",
        }
    }

    /// The colour of text that screens draw in `color`, on a ground that they draw in `ground`.
    pub fn text(self, color: Color, ground: Color) -> Color {
        let Color::Indexed(index) = color else { return color };
        match self {
            ThemeName::Dark => color,
            ThemeName::Terminal => Color::Indexed(sixteen(index)),
            ThemeName::Light | ThemeName::Contrast => {
                Color::Indexed(readable(index, self.ground_index(ground), self))
            }
        }
    }

    /// The colour of a ground that screens draw in `color`.
    pub fn ground(self, color: Color) -> Color {
        let Color::Indexed(index) = color else { return color };
        Color::Indexed(match (self, index) {
            (ThemeName::Dark, _) => index,
            (ThemeName::Light, 237) => 252,
            (ThemeName::Light, 235) => 254,
            (ThemeName::Light, 239) => 250,
            (ThemeName::Light, 25) => 25,
            (ThemeName::Light, 232..=243) => 253,
            (ThemeName::Contrast, 237) => 238,
            (ThemeName::Contrast, 235) => 234,
            (ThemeName::Terminal, 232..=243) => 8,
            (ThemeName::Terminal, 25) => 4,
            (ThemeName::Terminal, _) => sixteen(index),
            (ThemeName::Light | ThemeName::Contrast, _) => index,
        })
    }

    fn ground_index(self, ground: Color) -> u8 {
        match (self.ground(ground), self) {
            (Color::Indexed(index), _) => index,
            (_, ThemeName::Light) => 231,
            (_, _) => 16,
        }
    }
}

/// The nearest colour to `index` that can be read on `ground`; more than that for those who asked for contrast.
fn readable(index: u8, ground: u8, theme: ThemeName) -> u8 {
    let wanted = if theme == ThemeName::Contrast { 7.0 } else { CONTRAST_MIN };
    if contrast(index, ground) >= wanted {
        return index;
    }
    let dark_ground = luminance(ground) < 0.18;
    let [red, green, blue] = rgb(index);
    // In steps towards black or white, which every ground leaves readable.
    (0..=20_u32)
        .map(|step| {
            let mixed = |part: u8| {
                let end = if dark_ground { 255 } else { 0 };
                u8::try_from((u32::from(part) * (20 - step) + end * step) / 20).unwrap_or(u8::MAX)
            };
            nearest([mixed(red), mixed(green), mixed(blue)])
        })
        .find(|candidate| contrast(*candidate, ground) >= wanted)
        .unwrap_or(if dark_ground { 231 } else { 16 })
}

/// The levels of the colour cube.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The red, green and blue of an index above the first sixteen, which are the terminal's to choose.
pub fn rgb(index: u8) -> [u8; 3] {
    match index {
        0..16 => [128, 128, 128],
        16..232 => {
            let cube = index - 16;
            let level = |n: u8| LEVELS.get(usize::from(n % 6)).copied().unwrap_or(0);
            [level(cube / 36), level(cube / 6), level(cube)]
        }
        232.. => [8 + (index - 232) * 10; 3],
    }
}

/// The index whose colour is nearest.
pub fn nearest(color: [u8; 3]) -> u8 {
    let distance = |index: &u8| -> u32 {
        let there = rgb(*index);
        color.iter().zip(there).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
    };
    let level = |part: u8| -> u8 {
        let steps = LEVELS.iter().enumerate().min_by_key(|(_, level)| level.abs_diff(part));
        steps.and_then(|(step, _)| u8::try_from(step).ok()).unwrap_or(0)
    };
    let [red, green, blue] = color.map(level);
    let mean = color.iter().map(|part| u32::from(*part)).sum::<u32>() / 3;
    let gray = 232 + u8::try_from(mean.saturating_sub(3) / 10).unwrap_or(0).min(23);
    let cube = 16 + 36 * red + 6 * green + blue;
    if distance(&gray) < distance(&cube) { gray } else { cube }
}

fn luminance(index: u8) -> f64 {
    let [red, green, blue] = rgb(index).map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn contrast(one: u8, other: u8) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// The one of the terminal's own colours that means the same.
fn sixteen(index: u8) -> u8 {
    match index {
        203 | 211 | 209 => 9,
        179 => 11,
        149 | 114 | 79 => 10,
        80 => 14,
        75 | 111 => 12,
        141 | 176 => 13,
        231 => 15,
        250 | 245 => 7,
        240 => 8,
        0..16 => index,
        _ => {
            let [red, green, blue] = rgb(index);
            let most = red.max(green).max(blue);
            if most < 60 {
                return 0;
            }
            let on = |part: u8| u8::from(u16::from(part) * 2 > u16::from(most));
            let hue = on(red) + 2 * on(green) + 4 * on(blue);
            if most > 170 { hue + 8 } else { hue }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CONTRAST_MIN, ThemeName, contrast, nearest, rgb};
    use crate::theme;
    use ratatui::style::{Color, Style};

    /// What text stands on: the terminal's ground, a selected row, the open chat's row.
    const GROUNDS: [Style; 3] = [theme::PLAIN, theme::SELECTED, theme::OPEN];

    #[test]
    fn all_text_can_be_read_in_every_theme_with_colours_of_its_own() {
        let mut texts = vec![theme::QUIET, theme::ACCENT, theme::ERROR, theme::WARNING];
        texts.extend(theme::SENDERS.map(|index| Style::new().fg(Color::Indexed(index))));
        for name in [ThemeName::Light, ThemeName::Contrast] {
            for (text, ground) in texts.iter().flat_map(|text| GROUNDS.map(|ground| (text, ground)))
            {
                let ground = ground.bg.unwrap_or_default();
                let Color::Indexed(fg) = name.text(text.fg.unwrap(), ground) else { panic!() };
                let against = contrast(fg, name.ground_index(ground));
                assert!(against >= CONTRAST_MIN, "{name:?}: {text:?} on {ground:?}: {against}");
            }
        }
        for badge in [theme::BADGE, theme::BADGE_MUTED, theme::BUTTON] {
            for name in [ThemeName::Dark, ThemeName::Light, ThemeName::Contrast] {
                let (fg, bg) = (badge.fg.unwrap(), badge.bg.unwrap());
                let Color::Indexed(text) = name.text(fg, bg) else { panic!() };
                let against = contrast(text, name.ground_index(bg));
                assert!(against >= CONTRAST_MIN, "{name:?}: {badge:?}: {against}");
            }
        }
    }

    #[test]
    fn senders_and_signs_can_be_read_on_black() {
        let signs = [theme::QUIET, theme::ACCENT, theme::ERROR, theme::WARNING];
        let signs = signs.map(|style| style.fg.unwrap());
        for color in signs.into_iter().chain(theme::SENDERS.map(Color::Indexed)) {
            let Color::Indexed(index) = color else { panic!() };
            assert!(contrast(index, 16) >= CONTRAST_MIN, "{index}");
        }
    }

    #[test]
    fn every_index_is_nearest_to_itself() {
        for index in 16..=255 {
            assert_eq!(rgb(nearest(rgb(index))), rgb(index), "{index}");
        }
    }
}
