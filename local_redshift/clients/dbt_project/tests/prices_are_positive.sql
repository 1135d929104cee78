select * from {{ ref("a_table") }} where price <= 0
