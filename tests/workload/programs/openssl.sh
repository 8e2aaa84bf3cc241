# packages: openssl diffutils
# seconds: 900
cd /tmp; printf abc | openssl dgst -sha256 -r; printf abc | openssl dgst -blake2s256 | cut -c 1-40; openssl rand 16 | wc -c
openssl enc -aes-256-cbc -pbkdf2 -k pw -in /etc/passwd -out e && openssl enc -d -aes-256-cbc -pbkdf2 -k pw -in e | cmp - /etc/passwd && echo same
openssl genrsa -out k 2048 2> /dev/null; openssl rsa -in k -pubout -out kp 2> /dev/null; printf msg > m; openssl dgst -sha256 -sign k -out s m; openssl dgst -sha256 -verify kp -signature s m
openssl ecparam -genkey -name prime256v1 -noout -out ec; openssl req -x509 -new -key ec -days 9 -subj /CN=localhost -out c 2> /dev/null; openssl x509 -in c -noout -subject; openssl verify -CAfile c c
openssl s_server -accept 127.0.0.1:4433 -key ec -cert c -www -quiet > /dev/null 2>&1 & p=$!; until openssl s_client -connect 127.0.0.1:4433 < /dev/null > /dev/null 2>&1; do sleep 0.2; done; printf 'GET / HTTP/1.0\r\n\r\n' | timeout 200 openssl s_client -connect 127.0.0.1:4433 -CAfile c -quiet -ign_eof 2> /dev/null | head -n 1; kill $p
openssl genpkey -algorithm ed25519 -out ed && openssl pkey -in ed -pubout | head -n 1; openssl prime 1000003; echo 'aGk=' | openssl base64 -d; echo; openssl speed -seconds 1 sha1 2>&1 | grep -c '^sha1'
