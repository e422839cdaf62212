# Runs inside the demo's container. Has no way out: its network has no interface but loopback.
# Each step waits before it says what it does: so the lines of the step before appear above the words.
say() { sleep 1; echo "container: $*"; }

say "hello: an allowed program, again and again"
for i in 1 2 3 4 5; do id >/dev/null; done

say "reads the password file"
cat /etc/shadow >/dev/null

say "drops a program and runs it"
cp /bin/busybox /var/tmp/sh && /var/tmp/sh -c 'exit 0'

say "asks the cloud's metadata service for credentials"
echo 'GET /latest/meta-data/' | nc -w 1 169.254.169.254 80 2>/dev/null

say "waits for its master"
timeout 2 nc -l -p 4444 </dev/null >/dev/null 2>&1

say "plants a job"
mkdir -p /etc/cron.d && echo '* * * * * root /var/tmp/sh' >/etc/cron.d/update

say "covers its tracks"
rm -f /var/tmp/sh

say "does it all again: only the counts grow"
cat /etc/shadow >/dev/null
echo '* * * * * root /var/tmp/sh' >/etc/cron.d/update
sleep 1
