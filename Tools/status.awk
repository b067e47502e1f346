# One line from two readings of /metrics: awk -v seconds=S -f status.awk BEFORE NOW
# With -v mode=summary: a sentence on all that was between the two.

function label(name,   part) {
  if (!match($0, "[{,]" name "=\"[^\"]*\"")) return ""
  part = substr($0, RSTART, RLENGTH)
  sub(/^[^"]*"/, "", part)
  sub(/"$/, "", part)
  return part
}

# The upper end of the bucket that holds the quantile, in milliseconds.
function quantile(q,   le, best, total) {
  total = bucket["+Inf"]
  if (total <= 0) return "-"
  best = "+Inf"
  for (le in bucket)
    if (bucket[le] >= q * total && le != "+Inf" && (best == "+Inf" || le + 0 < best + 0)) best = le
  return best == "+Inf" ? "> 8 s" : sprintf("<= %g ms", best * 1000)
}

FNR == 1 { sign = NR == 1 ? -1 : 1 }
/^coredns_dns_requests_total[{ ]/ { queries += sign * $NF }
/^coredns_cache_hits_total[{ ]/ { hits += sign * $NF }
/^coredns_cache_misses_total[{ ]/ { misses += sign * $NF }
/^coredns_dns_request_duration_seconds_bucket[{]/ { bucket[label("le")] += sign * $NF }
/^coredns_proxy_request_duration_seconds_count[{ ]/ { upstream += sign * $NF }
/^ringlet_upstream_up[{]/ && sign > 0 { state[label("to")] = $NF + 0 ? "up" : "DOWN" }

END {
  ratio = hits + misses > 0 ? sprintf("%.1f %%", 100 * hits / (hits + misses)) : "-"
  if (mode == "summary") {
    printf "%d queries, hit ratio %s, p99 %s, %d upstream answers\n", queries, ratio, quantile(0.99), upstream
    exit
  }
  upstreams = ""
  for (to in state) upstreams = upstreams " " to " " state[to]
  printf "%8.0f q/s | hits %7s | p99 %10s | upstream%s, %.0f answers/s\n", queries / seconds, ratio, quantile(0.99),
    upstreams == "" ? " not asked yet" : upstreams, upstream / seconds
}
