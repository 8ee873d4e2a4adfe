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
    hdi_upper_95
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
