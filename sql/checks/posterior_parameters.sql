-- The headline is the prior and what the tweets are worth; the naive estimate is the prior and all of them: exactly so where nothing is
-- forgotten, at most so with forgetting. (Rows of before there were three estimates are naive.)
with rows as (
    select
        *,
        coalesce(effective_matches, naive_alpha - prior_alpha, alpha - prior_alpha) as worth_matches,
        coalesce(effective_trials, alpha + beta - prior_alpha - prior_beta) as worth,
        coalesce(naive_alpha, alpha) as plain_alpha,
        coalesce(naive_beta, beta) as plain_beta,
        coalesce(naive_mean, mean) as plain_mean
    from posteriors
)
select
    study,
    day,
    alpha,
    beta,
    design_effect,
    effective_trials,
    effective_matches,
    naive_alpha,
    naive_beta,
    prior_alpha,
    prior_beta,
    forget,
    trials,
    matches,
    authors
from rows
where not (
    abs(mean - alpha / (alpha + beta)) <= 1e-12 and abs(plain_mean - plain_alpha / (plain_alpha + plain_beta)) <= 1e-12
    -- the headline
    and worth_matches between 0 and worth
    and abs(alpha - prior_alpha - worth_matches) <= 1e-9 * alpha and abs(beta - prior_beta - (worth - worth_matches)) <= 1e-9 * beta
    -- no share is less sure than that of one tweet
    and coalesce(design_effect, 1) between 1 and greatest(trials, 1) * (1 + 1e-9)
    and worth * coalesce(design_effect, 1) <= (plain_alpha - prior_alpha + plain_beta - prior_beta) * (1 + 1e-9) + 1e-9
    -- without a cap on authors it is as many tweets as the naive estimate, by the design effect
    and (
        author_cap is not null
        or abs(worth_matches * coalesce(design_effect, 1) - (plain_alpha - prior_alpha)) <= 1e-9 * (1 + matches)
    )
    -- the naive estimate; its prior is added to sums that are whole
    and plain_alpha >= prior_alpha and plain_beta >= prior_beta
    and plain_alpha <= (prior_alpha + matches) * (1 + 1e-9)
    and plain_beta <= (prior_beta + trials - matches) * (1 + 1e-9)
    and (forget < 1 or (plain_alpha = prior_alpha + matches and plain_beta = prior_beta + (trials - matches)))
    -- what it rests on
    and matches between 0 and trials
    and days >= 1 and days_missing >= 0 and days_partial between 0 and days
    and (window_days is null or days + days_missing <= window_days)
    and (basis <> 'counts' or (authors is null and design_effect is null and per_author_mean is null))
    and coalesce(authors, 0) <= trials
    and coalesce(per_author_votes, 0) <= coalesce(authors, 0) * (1 + 1e-9)
    and coalesce(borrowed, 0) between 0 and 1
    and coalesce(top_weight, 0) between 0 and 1 + 1e-9
    and coalesce(without_top, 0) between 0 and 1
    and coalesce(top_influence, 0) between 0 and 1 + 1e-9
    and coalesce(prior_areas, 0) not in (1, 2)
)
