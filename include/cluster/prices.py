"""Define AWS list prices in us-west-2, in US dollars, as of November 2026.

Sources: https://aws.amazon.com/redshift/pricing/, https://aws.amazon.com/s3/pricing/ and
https://aws.amazon.com/secrets-manager/pricing/. docs/aws.md shows the same prices, and a test compares them.
"""

from __future__ import annotations

NODE_HOUR = {
    "rg.large": 0.38,
    "rg.xlarge": 0.76,
    "rg.4xlarge": 3.04,
    "rg.12xlarge": 9.13,
    "ra3.large": 0.543,
    "ra3.xlplus": 1.086,
    "ra3.4xlarge": 3.26,
    "ra3.16xlarge": 13.04,
}
"""Price of one node per hour, by node type. RG costs 30 percent less per vCPU than RA3
(https://aws.amazon.com/blogs/big-data/modernize-amazon-redshift-ra3-to-rg-migration-best-practices/)."""
RPU_HOUR = 0.375
"""Price of one Redshift Processing Unit of Serverless per hour of queries."""
REDSHIFT_GB_MONTH = 0.024
"""Price of one GB of managed storage or of a manual snapshot per month."""
S3_GB_MONTH = 0.023
"""Price of one GB in S3 Standard per month."""
SECRET_MONTH = 0.40
"""Price of one secret per month."""
