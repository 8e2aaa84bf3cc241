# packages: openssh-client openssh-server
# seconds: 900
cd /tmp; mkdir -p /root/.ssh /run/sshd; chmod 700 /root /root/.ssh; rm -f /root/.ssh/id; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id; cp /root/.ssh/id.pub /root/.ssh/authorized_keys; ssh-keygen -q -t ed25519 -N '' -f /tmp/host
sed -i 's|^root:[^:]*:|root:x:|; /^root/s|:[^:]*$|:/bin/bash|' /etc/passwd
: > /tmp/conf; /usr/sbin/sshd -f /tmp/conf -h /tmp/host -p 2222 -o ListenAddress=127.0.0.1 -o UsePAM=no -o PidFile=/tmp/pid -o StrictModes=no -E /tmp/log; until [ -s /tmp/pid ]; do sleep 0.1; done
o="-p 2222 -i /root/.ssh/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/tmp/kh -o LogLevel=ERROR -o BatchMode=yes"
ssh $o root@127.0.0.1 'echo over ssh; exit 3'; echo "code $?"; seq 5000 | ssh $o root@127.0.0.1 'md5sum'; kill "$(cat /tmp/pid)"
