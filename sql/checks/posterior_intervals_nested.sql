-- Intervals lie in [0, 1], the 50 % inside the 95 %, and the shortest is no longer than the central one (but for rounding).
select
    study,
    day,
    alpha,
    beta,
    mean,
    lower_50,
    upper_50,
    lower_95,
    upper_95,
    hdi_lower_50,
    hdi_upper_50,
    hdi_lower_95,
    hdi_upper_95,
    naive_lower_95,
    naive_upper_95,
    per_author_lower_95,
    per_author_upper_95,
    expected_lower_95,
    expected_upper_95,
    surprise,
    surprise_score,
    next_lower_95,
    next_upper_95
from posteriors
where not (
    0 <= lower_95 and lower_95 <= lower_50 and lower_50 <= upper_50 and upper_50 <= upper_95 and upper_95 <= 1
    and 0 <= hdi_lower_95 and hdi_lower_95 <= hdi_lower_50 and hdi_lower_50 <= hdi_upper_50
    and hdi_upper_50 <= hdi_upper_95 and hdi_upper_95 <= 1
    -- of parameters near 0 the mean lies outside: nearly all mass is at one end, the rest far away
    and (least(alpha, beta) < 0.1 or (lower_95 <= mean and mean <= upper_95))
    and hdi_upper_95 - hdi_lower_95 <= (upper_95 - lower_95) * (1 + 1e-9)
    and hdi_upper_50 - hdi_lower_50 <= (upper_50 - lower_50) * (1 + 1e-9)
)
-- the other estimates and what was expected, where there are any
or not (0 <= naive_lower_95 and naive_lower_95 <= naive_upper_95 and naive_upper_95 <= 1)
or not (0 <= per_author_lower_95 and per_author_lower_95 <= per_author_mean and per_author_mean <= per_author_upper_95 and per_author_upper_95 <= 1)
or not (0 <= expected_lower_95 and expected_lower_95 <= expected_upper_95 and expected_upper_95 <= 1)
or not (0 <= next_lower_95 and next_lower_95 <= next_upper_95 and next_upper_95 <= 1)
or not (surprise between 0 and 1)
or (surprise is null) <> (surprise_score is null)
-- far out is surprising, on whichever side
or (surprise < 0.01 and abs(surprise_score) < 2.5)
or (surprise > 0.1 and abs(surprise_score) > 1.7)
