-- Which devices, systems and browsers do people use?
select
    device,
    os,
    browser,
    plays,
    listeners
from reports.devices
order by plays desc, device asc, os asc, browser asc
