# packages: openssh-client openssh-server
# seconds: 900
cd /tmp; mkdir -p /root/.ssh /run/sshd; chmod 700 /root/.ssh; for t in ed25519 ecdsa rsa; do ssh-keygen -q -t $t -N '' -C c -f k.$t; ssh-keygen -lf k.$t.pub | cut -d' ' -f1,3-; done
ssh-keygen -q -p -P '' -N secret -f k.rsa && ssh-keygen -y -P secret -f k.rsa | cut -d' ' -f1; echo data > d; ssh-keygen -Y sign -q -f k.ed25519 -n file d 2> /dev/null; (printf 'me '; cat k.ed25519.pub) > signers; ssh-keygen -Y verify -f signers -I me -n file -s d.sig < d | cut -d' ' -f1-5
ssh-keygen -q -s k.ecdsa -I id -n root -V -1h:+1h k.ed25519.pub && ssh-keygen -Lf k.ed25519-cert.pub | grep -c 'Key ID'; eval "$(ssh-agent -s)" > /dev/null; ssh-add -q k.ed25519 && ssh-add -l | wc -l; ssh-agent -k > /dev/null; ssh -V 2>&1 | cut -c 1-8; ssh -G host | grep -c '^port 22$'
