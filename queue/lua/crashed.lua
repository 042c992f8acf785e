-- crashed: counts a crash for each job given, as "count note".
--
-- KEYS 1 drover:failed  2 drover:crashes
-- ARGV 1 note, then crash keys
-- Reply: number of keys counted
--@ begin
--@ crash

begin_writing(KEYS[1])
local counted = 0
for i = 2, #ARGV do
    if count_crash(KEYS[2], ARGV[i], ARGV[1]) then
        counted = counted + 1
    end
end
return counted
