import Foundation
let p = Process()
p.executableURL = URL(fileURLWithPath: "/usr/bin/env")
p.arguments = ["swift", "build", "-c", "release", "--no-color-diagnostics", "--product", "ringlet"]
try p.run()
p.waitUntilExit()
print("exit", p.terminationStatus)
