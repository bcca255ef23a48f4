//! Which functions there are, and how many arguments they take.

/// A function of metric math.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Abs,
    Avg,
    Ceil,
    DatapointCount,
    Diff,
    Fill,
    Floor,
    If,
    Log,
    Log10,
    Max,
    MetricCount,
    Min,
    Period,
    Rate,
    RunningSum,
    Stddev,
    Sum,
}

const ALL: &[(&str, Function)] = &[
    ("ABS", Function::Abs),
    ("AVG", Function::Avg),
    ("CEIL", Function::Ceil),
    ("DATAPOINT_COUNT", Function::DatapointCount),
    ("DIFF", Function::Diff),
    ("FILL", Function::Fill),
    ("FLOOR", Function::Floor),
    ("IF", Function::If),
    ("LOG", Function::Log),
    ("LOG10", Function::Log10),
    ("MAX", Function::Max),
    ("METRIC_COUNT", Function::MetricCount),
    ("MIN", Function::Min),
    ("PERIOD", Function::Period),
    ("RATE", Function::Rate),
    ("RUNNING_SUM", Function::RunningSum),
    ("STDDEV", Function::Stddev),
    ("SUM", Function::Sum),
];

impl Function {
    /// The function of this name.
    pub fn of(name: &str) -> Option<Self> {
        let found = ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, function)| *function)
    }

    /// How many arguments it takes at least, and at most.
    pub fn arguments(self) -> (usize, usize) {
        match self {
            Self::If => (2, 3),
            Self::Fill => (2, 2),
            _ => (1, 1),
        }
    }
}
