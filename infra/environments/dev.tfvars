# Small, cheap, easy to leave.
environment = "dev"

batch_image_tag = "v1"

enable_deletion_protection = false
force_destroy_buckets      = false
secret_recovery_days       = 0

monthly_budget_usd = 60

# A published version with SnapStart bills its memory all month, asleep too; the function needs an eighth of this.
api_memory_mib = 512
