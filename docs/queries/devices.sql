-- With which devices, systems and browsers do people listen?
select
    device,
    os,
    browser,
    plays,
    listeners
from reports.devices
order by plays desc, device asc, os asc, browser asc
