//! Figures as people read them.

use crate::figures::{Better, Line};

/// With its unit.
pub(super) fn shown(line: &Line) -> String {
    let number = rounded(line.value);
    match line.unit.as_str() {
        "" => number,
        "/s" => format!("{number}/s"),
        unit => format!("{number} {unit}"),
    }
}

/// As many digits as mean something: three, and all those before the point, in groups. Counts are whole.
pub(super) fn rounded(value: f64) -> String {
    let size = value.abs();
    if size >= 99.95 || value.fract() == 0.0 {
        return grouped(&format!("{value:.0}"));
    }
    match size {
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.0995 => format!("{value:.2}"),
        size if size >= 0.00995 => format!("{value:.3}"),
        _ => format!("{value:.4}"),
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many times better `one` is than `other`; none where neither way is better.
pub(super) fn times_better(one: &Line, other: &Line) -> Option<String> {
    let ratio = match one.better {
        Better::More => one.value / other.value,
        Better::Less => other.value / one.value,
        Better::Neither => return None,
    };
    ratio.is_finite().then(|| format!("{}×", rounded(ratio)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, expected: &str) {
        assert_eq!(rounded(value), expected);
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        check(0.0, "0");
        check(40.0, "40");
        check(0.00123, "0.0012");
        check(0.0456, "0.046");
        check(0.0999, "0.10");
        check(1.234, "1.23");
        check(9.999, "10.0");
        check(45.678, "45.7");
        check(99.96, "100");
        check(4_012.7, "4,013");
        check(1_234_567.0, "1,234,567");
    }

    #[test]
    fn ratios_say_how_many_times_better_the_first_is() {
        let rate = |value| Line::new("rate", value, "/s", Better::More);
        let cost = |value| Line::cost("p50", value, "ms");

        assert_eq!(times_better(&rate(300.0), &rate(100.0)).unwrap(), "3×");
        assert_eq!(times_better(&cost(5.0), &cost(100.0)).unwrap(), "20×");
        assert_eq!(times_better(&cost(0.0), &cost(100.0)), None);
        assert_eq!(
            times_better(&Line::fact("timed", 1.0, ""), &Line::fact("timed", 1.0, "")),
            None
        );
    }
}
