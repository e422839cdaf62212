# Runs inside the demo's container. Has no way out: its network has no interface but loopback.
# Each step waits until the demo has said what comes, so that its lines stand below the words.
step() { read -r _; }

step # It reads its settings a thousand times: told once, the kernel counts the rest
for _ in $(seq 1000); do read -r _ </etc/app.conf; done

step # It reads the password file
cat /etc/shadow >/dev/null

step # It drops a program and runs it
cp /bin/busybox /var/tmp/sh && /var/tmp/sh -c 'exit 0'

step # It asks the cloud's metadata service for credentials
echo 'GET /latest/meta-data/' | nc -w 1 169.254.169.254 80 2>/dev/null

step # It opens a back door
nc -l -p 4444 &

step # It plants a job
echo '* * * * * root /var/tmp/sh' >/etc/cron.d/update

step # It reads the password file a thousand times more: only the count grows
for _ in $(seq 1000); do read -r _ </etc/shadow; done

step
