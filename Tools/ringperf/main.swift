print("ringperf")
