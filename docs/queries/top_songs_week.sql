-- Which songs did paying users play most in the last 7 days, and which rank did they have in the 7 days before?
select
    t.rank,
    t.song,
    t.artist,
    t.plays,
    b.rank as rank_before
from reports.period_tops as t
inner join (
    select max(start) as start
    from reports.period_tops
    where period = 'last_7'
) as newest on t.start = newest.start
left join reports.period_tops as b
    on
        t.period = b.period
        and t.level = b.level
        and t.kind = b.kind
        and t.song = b.song
        and t.artist = b.artist
        and t.start - 7 = b.start
where t.period = 'last_7' and t.level = 'paid' and t.kind = 'song' and t.rank <= 10
order by t.rank
