//! The colours of the pictures, light and dark: hues that the colour-blind can tell, dark enough on
//! paper and bright enough on black.

use std::fmt::Write;

/// Selector, what is coloured, light, dark.
const COLOURS: [(&str, &str, &str, &str); 22] = [
    (".paper", "fill", "#ffffff", "#14181d"),
    (".title", "fill", "#1b2027", "#e8ecf1"),
    (".label", "fill", "#333b45", "#c9d1da"),
    (".strong", "fill", "#004c99", "#84c1ff"),
    (".tick", "fill", "#5b6570", "#98a3af"),
    (".grid", "stroke", "#e2e6ea", "#2a3138"),
    (".axis", "stroke", "#9aa4ae", "#5d6873"),
    (".leader", "stroke", "#b4bcc5", "#4a545e"),
    (".whisker", "stroke", "#69737e", "#a3adb8"),
    (".s-ours", "stroke", "#0060c0", "#5aaeff"),
    (".s-floor", "stroke", "#6a737d", "#9aa5b1"),
    (".s1", "stroke", "#c84e00", "#ff8f4d"),
    (".s2", "stroke", "#00805c", "#3ecb9b"),
    (".s3", "stroke", "#a8448a", "#ea8fcb"),
    (".s4", "stroke", "#92660a", "#e6b740"),
    (".s5", "stroke", "#1f83b5", "#7ed2f7"),
    (".s6", "stroke", "#6353c4", "#aea2fa"),
    (".s7", "stroke", "#7a4a2b", "#cfa581"),
    (".b-ours", "fill", "#0060c0", "#5aaeff"),
    (".b-processes", "fill", "#00805c", "#2fa67e"),
    (".b-server", "stroke", "#d9824a", "#d9773a"),
    (".b-threads", "stroke", "#00805c", "#3ecb9b"),
];

/// What does not change with the colours.
const SHAPES: &str = "
svg.plot text { font: 12.5px system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif; font-variant-numeric: tabular-nums; }
svg.plot .title { font-size: 16px; font-weight: 600; }
svg.plot .strong { font-weight: 600; }
svg.plot .grid, svg.plot .axis { stroke-width: 1; }
svg.plot .leader { stroke-width: 1; stroke-dasharray: 1 3; }
svg.plot .whisker { stroke-width: 1.5; }
svg.plot .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg.plot .curve.s-ours { stroke-width: 3; }
svg.plot .curve.s-floor { stroke-dasharray: 6 4; }
svg.plot .full, svg.plot .hollow { stroke-width: 1.6; }
svg.plot .b-threads { fill: none; stroke-width: 1.6; }
svg.plot .b-floor, svg.plot .b-nothing { fill: none; stroke-width: 1.4; stroke-dasharray: 4 3; }
svg.plot .b-nothing { stroke-dasharray: 1 2; }
svg.plot .b-server { stroke-width: 13; stroke-dasharray: 6 1.5; }
";

/// The style of all pictures.
pub(in crate::report) fn style() -> String {
    let light = rules(|(_, _, light, _)| light);
    let dark = rules(|(_, _, _, dark)| dark);
    format!("{SHAPES}{light}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n")
}

type Colour = (&'static str, &'static str, &'static str, &'static str);

fn rules(choose: fn(Colour) -> &'static str) -> String {
    let mut rules = String::new();
    let mut paper = "";
    for colour in COLOURS {
        let (selector, property, ..) = colour;
        let value = choose(colour);
        if selector == ".paper" {
            paper = value;
        }
        let _ = writeln!(rules, "svg.plot {selector} {{ {property}: {value}; }}");
        // Marks are filled with their line's colour, or with the paper's.
        if selector.starts_with(".s") && property == "stroke" {
            let _ = writeln!(rules, "svg.plot {selector}.full {{ fill: {value}; }}");
            let _ = writeln!(rules, "svg.plot {selector}.hollow {{ fill: {paper}; }}");
        }
        if selector == ".s-floor" {
            let _ = writeln!(
                rules,
                "svg.plot .b-floor, svg.plot .b-nothing {{ stroke: {value}; }}"
            );
        }
    }
    rules
}
