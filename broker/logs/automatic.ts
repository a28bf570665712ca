// The last lines of an incident, asked for by the broker itself.

export type AutomaticResult = 'asked' | 'over_budget' | 'refused';
