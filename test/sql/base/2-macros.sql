-- The share of hits among n, null where there is none, and its 95 % interval by Wilson's score.
create or replace macro share(hits, n) as hits / nullif(n, 0);
create or replace macro wilson(hits, n, side) as
    (hits / n + z() * z() / (2 * n) + side * z() * sqrt(hits / n * (1 - hits / n) / n + z() * z() / (4 * n * n))) / (1 + z() * z() / n);
create or replace macro z() as 1.959963984540054::double;
create or replace macro share_low(hits, n) as case when n = 0 then null when hits = 0 then 0 else wilson(hits, n, -1) end;
create or replace macro share_high(hits, n) as case when n = 0 then null when hits = n then 1 else wilson(hits, n, 1) end;

-- How much larger a share is than another one, and the 95 % interval of the difference by Newcombe's method 10.
create or replace macro difference(hits, n, hits2, n2) as share(hits, n) - share(hits2, n2);
create or replace macro difference_low(hits, n, hits2, n2) as difference(hits, n, hits2, n2) -
    sqrt(pow(share(hits, n) - share_low(hits, n), 2) + pow(share_high(hits2, n2) - share(hits2, n2), 2));
create or replace macro difference_high(hits, n, hits2, n2) as difference(hits, n, hits2, n2) +
    sqrt(pow(share_high(hits, n) - share(hits, n), 2) + pow(share(hits2, n2) - share_low(hits2, n2), 2));

-- Of durations in ms, in seconds: the mean, and the one below which a share of all lie.
create or replace macro mean_of(took) as sum(took)::double / count(took) / 1000;
create or replace macro at_share(took, q) as list_sort(list(took))[1 + floor(q * (count(took) - 1))::bigint] / 1000;

create or replace macro ms_of_days(n) as n * 86_400_000::bigint;
