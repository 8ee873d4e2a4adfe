-- alpha and beta are the prior and the counts: exactly so without forgetting, at most so with it.
select
    study,
    day,
    alpha,
    beta,
    prior_alpha,
    prior_beta,
    forget,
    trials,
    matches
from posteriors
where not (
    alpha >= prior_alpha and beta >= prior_beta
    and alpha <= (prior_alpha + matches) * (1 + 1e-9)
    and beta <= (prior_beta + trials - matches) * (1 + 1e-9)
    and abs(mean - alpha / (alpha + beta)) <= 1e-12
    and (forget < 1 or (alpha = prior_alpha + matches and beta = prior_beta + (trials - matches)))
    and matches between 0 and trials
    and days >= 1 and days_missing >= 0 and days_partial between 0 and days
)
