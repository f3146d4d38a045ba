//! Where products stand: two levels of categories.

/// A category at the top.
pub(super) struct Shelf {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// Id and name of each category below it.
    pub(super) boards: &'static [(&'static str, &'static str)],
}

pub(super) const SHELVES: &[Shelf] = &[
    Shelf {
        id: "fasteners",
        name: "Fasteners",
        boards: &[
            ("hex-bolts", "Hex bolts"),
            ("socket-screws", "Socket screws"),
            ("nuts", "Nuts"),
            ("washers", "Washers"),
            ("threaded-rods", "Threaded rods"),
            ("anchors", "Anchors"),
        ],
    },
    Shelf {
        id: "power-transmission",
        name: "Bearings and power transmission",
        boards: &[
            ("ball-bearings", "Ball bearings"),
            ("bearing-units", "Bearing units"),
            ("v-belts", "V-belts"),
        ],
    },
    Shelf {
        id: "pipes-and-valves",
        name: "Pipes and valves",
        boards: &[
            ("steel-pipes", "Steel pipes"),
            ("pipe-fittings", "Pipe fittings"),
            ("ball-valves", "Ball valves"),
            ("hoses", "Hoses"),
        ],
    },
    Shelf { id: "seals", name: "Seals", boards: &[("o-rings", "O-rings"), ("shaft-seals", "Shaft seals")] },
    Shelf {
        id: "pneumatics",
        name: "Pneumatics",
        boards: &[("push-in-fittings", "Push-in fittings"), ("pneumatic-cylinders", "Pneumatic cylinders")],
    },
    Shelf {
        id: "tools",
        name: "Tools",
        boards: &[
            ("spanners", "Spanners"),
            ("screwdrivers", "Screwdrivers"),
            ("drill-bits", "Drill bits"),
            ("taps", "Taps"),
            ("power-tools", "Power tools"),
        ],
    },
    Shelf {
        id: "abrasives",
        name: "Abrasives",
        boards: &[("cutting-discs", "Cutting discs"), ("flap-discs", "Flap discs")],
    },
    Shelf {
        id: "ppe",
        name: "Personal protective equipment",
        boards: &[("gloves", "Gloves"), ("safety-shoes", "Safety shoes"), ("respirators", "Respirators")],
    },
    Shelf {
        id: "electrical",
        name: "Electrical",
        boards: &[
            ("cables", "Cables"),
            ("circuit-breakers", "Circuit breakers"),
            ("motors", "Motors"),
            ("cable-ties", "Cable ties"),
        ],
    },
    Shelf {
        id: "chemicals",
        name: "Lubricants and chemicals",
        boards: &[("lubricants", "Lubricants"), ("threadlockers", "Threadlockers")],
    },
];
